# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: what was written on btrfs from memory that changed meanwhile can be read: first writes, and writes in place
# needs: vm 6.1 (6.12 7.2)

D=$SCRATCH/btrfs/sums
mkdir "$D"
trap 'rm -rf "$D"' EXIT
qemu-img create -q -f qcow2 "$D/image" 16M
attach_rw disk qcow2 "$D/image"
for round in first place; do
	"$BIN/restless" /dev/mapper/disk $((4 << 20))
	echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/mapper/disk of="$T/got" bs=64k count=64 iflag=direct status=none || fail "$round: what was written cannot be read"
done
want errors 0 "$(status_of disk errors)"
detach disk
qemu-img check -q "$D/image"
