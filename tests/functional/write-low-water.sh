# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an event fires, and status says so, when room falls below the low water mark, in a file system and at the end of a block device; growing clears it
# needs: vm 6.12 (6.1 7.2)

events() { dmsetup info -c --noheadings -o events disk; }

# look_low: write a megabyte after the last one, until status has looked again; MIB is the next.
MIB=0
look_low() {
	local before
	before=$(status_of disk room)
	for _ in $(seq 40); do
		dd if=/dev/urandom of=/dev/mapper/disk bs=1M seek=$MIB count=1 oflag=direct status=none
		MIB=$((MIB + 1))
		[ "$(status_of disk room)" = "$before" ] || return 0
		sleep 0.3
	done
	fail "nobody looks how much room there is"
}

truncate -s 64M "$T/disk.img"
loop=$(losetup -f --show "$T/disk.img")
mkfs.ext4 -q -F "$loop"
mkdir "$T/small"
mount "$loop" "$T/small"
qemu-img create -q -f qcow2 "$T/small/image" 256M
attach_rw disk qcow2 "$T/small/image" -- low_water_mark:20480
want "low at first" 0 "$(status_of disk low)"
(($(status_of disk room) > 20480 << 10)) || fail "room: $(status_of disk room)"
before=$(events)
fallocate -l 36M "$T/small/ballast"
look_low
want "low" 1 "$(status_of disk low)"
(($(events) == before + 1)) || fail "$(events) events, $before before"
look_low
(($(events) == before + 1)) || fail "more than one event for one fall"
rm "$T/small/ballast"
look_low
want "low with room again" 0 "$(status_of disk low)"
detach disk
umount "$T/small"
losetup -d "$loop"

# on a block device: what lies behind the image counts, and the device may grow
pool lower $((64 << 20))
qemu-img create -q -f qcow2 /dev/mapper/lower 256M
"$BIN/stamp" 1 $((30 << 20)) >"$T/data"
qemu-img convert -n -O qcow2 "$T/data" /dev/mapper/lower 2>/dev/null || qemu-io -f qcow2 -c 'write -q 0 30M' /dev/mapper/lower
table=$(dmsetup table lower)
read -r _ _ _ place start <<<"$table"
attach_rw disk qcow2 /dev/mapper/lower -- low_water_mark:20480
room=$(status_of disk room)
((room > 30 << 20 && room < 34 << 20)) || fail "room behind 30 MiB in 64: $room"
MIB=100
before=$(events)
until [ "$(status_of disk low)" = 1 ]; do look_low; done
want "low at the end of the device" 1 "$(status_of disk low)"
(($(events) == before + 1)) || fail "$(events) events, $before before"
dmsetup load lower --table "0 $((128 << 11)) linear $place $start"
dmsetup suspend lower --nolockfs
dmsetup resume lower
look_low
want "low when the device has grown" 0 "$(status_of disk low)"
detach disk
qemu-img check /dev/mapper/lower || fail "qemu-img check"
detach lower
