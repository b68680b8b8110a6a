# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a write that must not wait is told to come again where it needs a new cluster, and nothing of it is there; where its cluster is, it is written on a block device, and written or told to come again in a file; what is told to come again is no error
# needs: vm 6.12 (6.1 7.2)

# holds BYTE: the first 4 KiB
holds() {
	cmp -s <(dd if=/dev/mapper/disk bs=4k count=1 iflag=direct status=none) <(head -c 4096 /dev/zero | tr '\0' "\\$1") ||
		fail "the disk does not hold $1"
}

for place in block file; do
	echo "-- an image in a $place"
	image=$T/image
	if [ $place = block ]; then
		pool lower $((16 << 20))
		image=/dev/mapper/lower
	fi
	qemu-img create -q -f qcow2 "$image" 4M
	attach_rw disk qcow2 "$image"
	for _ in 1 2; do
		want "a new cluster" again "$("$BIN/nowait-write" /dev/mapper/disk 0 4096 5)"
		holds 0
	done
	head -c 65536 /dev/zero | tr '\0' '\1' | dd of=/dev/mapper/disk bs=64k iflag=fullblock oflag=direct status=none
	# the map knows it
	holds 1
	said=$("$BIN/nowait-write" /dev/mapper/disk 0 4096 7) || fail "a write in place"
	echo "in place: $said"
	[ $place = file ] || want "in place" written "$said"
	if [ "$said" = written ]; then holds 7; else holds 1; fi
	want errors 0 "$(status_of disk errors)"
	dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none || fail "a flush"
	detach disk
	qemu-img check -q "$image" || fail "qemu-img check"
	[ $place = file ] || { detach lower; pool_reset; }
done
