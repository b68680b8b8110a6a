# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a flush costs two flushes of the host when there are new clusters, one when there are none; flushes that come while one runs share the next
# needs: vm 6.12 (6.1 7.2)

# Flushes that the disk below has been sent: field 16.
flushes() {
	local fields
	read -ra fields </sys/block/vde/stat
	echo "${fields[15]}"
}
# costs NUMBER WHAT WRITE-OPTION...: flushes for one write with a flush behind it
costs() {
	local before
	before=$(flushes)
	dd if=/dev/zero of=/dev/mapper/disk bs=64k count=1 oflag=direct conv=fsync,notrunc status=none "${@:3}"
	want "flushes for $2" "$1" $(($(flushes) - before))
}

pool raw $((64 << 20))
qemu-img create -q -f qcow2 /dev/mapper/raw 32M
# flushes below take two seconds, reads and writes none
place=$(dmsetup table raw | cut -d ' ' -f 4)
dmsetup create lower --table "0 131072 delay /dev/mapper/raw 0 0 /dev/mapper/raw 0 0 /dev/mapper/raw 0 0"
attach_rw disk qcow2 /dev/mapper/lower
dd if=/dev/zero of=/dev/mapper/disk bs=64k count=1 oflag=direct conv=fsync,notrunc status=none # makes tables
costs 2 "a new cluster" seek=1
costs 2 "a new cluster" seek=7
costs 1 "a cluster in place" seek=7
costs 1 "a flush alone" count=0
dd if=/dev/zero of=/dev/mapper/disk bs=64k seek=100 count=20 oflag=direct status=none
costs 2 "many new clusters" seek=9

# a flush that takes two seconds, and twelve that want one meanwhile
dmsetup suspend --noflush lower
dmsetup load lower --table "0 131072 delay /dev/mapper/raw 0 0 /dev/mapper/raw 0 0 /dev/mapper/raw 0 2000"
dmsetup resume lower
before=$(flushes)
pids=()
for i in $(seq 12); do
	dd if=/dev/zero of=/dev/mapper/disk bs=64k count=1 seek=$((100 + i)) oflag=direct conv=fsync,notrunc status=none &
	pids+=($!)
done
wait "${pids[@]}"
n=$(($(flushes) - before))
((n <= 4)) || fail "$n flushes below for 12 at a time, on ${place}"
detach disk
dmsetup remove lower
qemu-img check /dev/mapper/raw || fail "qemu-img check"
detach raw
