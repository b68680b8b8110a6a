#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# The first process of the guest, from the initramfs: stacks the root out of the shared read-only directories and a
# tmpfs, and hands over to guest.c. /vm/modules lists what the kernel of this root does not have built in, in the order
# of loading; /vm/config sets LAYERS (from the top down, below the cache directory), SHARE and, to find out whether an
# accelerator works, PROBE.
set -e
bb=/bin/busybox
export PATH=/bin
$bb mkdir -p /proc /sys /dev /cache /new
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
. /vm/config
if [ -n "$PROBE" ]; then
	echo "vm-probe: works" >/dev/ttyS0
	$bb poweroff -f
fi

while read -r module; do
	$bb insmod "/vm/$module"
done </vm/modules

$bb mount -t virtiofs -o ro cache /cache
lower=
for layer in $LAYERS; do
	lower=$lower:/cache/$layer
done
$bb mkdir /tmpfs
$bb mount -t tmpfs -o mode=755 upper /tmpfs
$bb mkdir /tmpfs/upper /tmpfs/work
$bb mount -t overlay -o "lowerdir=${lower#:},upperdir=/tmpfs/upper,workdir=/tmpfs/work,redirect_dir=off,index=off" root /new

for fs in dev proc sys; do
	$bb mount --move /$fs /new/$fs
done
$bb mkdir -p /new/dev/pts /new/dev/shm
$bb mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /new/dev/pts
$bb mount -t tmpfs -o mode=1777 shm /new/dev/shm
$bb mount -t tmpfs -o mode=1777 tmp /new/tmp
$bb mount -t tmpfs -o mode=755 run /new/run
$bb mount -t debugfs debugfs /new/sys/kernel/debug
$bb mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
	$bb ln -sfn "${link#*:}" "/new/dev/${link%%:*}"
done
if [ -n "$SHARE" ]; then
	$bb mkdir -p /new/share
	$bb mount -t virtiofs share /new/share
fi
$bb ifconfig lo 127.0.0.1 up
$bb hostname vm

# Only a hang is to be taken for one, not a busy host that emulates slowly.
set_sysctl() { [ ! -e "/new/proc/sys/kernel/$1" ] || echo "$2" >"/new/proc/sys/kernel/$1"; }
set_sysctl hung_task_timeout_secs 100
set_sysctl hung_task_check_interval_secs 10
set_sysctl watchdog_thresh 30

# Under emulation the machine came up with one CPU, see lib-boot.sh.
for cpu in /new/sys/devices/system/cpu/cpu[1-9]*/online; do
	[ ! -e "$cpu" ] || [ "$($bb cat "$cpu")" = 1 ] || echo 1 >"$cpu"
done

$bb mkdir /new/run/vm /new/run/lock
$bb cp /vm/args /vm/guest /new/run/vm/
exec $bb switch_root /new /run/vm/guest
