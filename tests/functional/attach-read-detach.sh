# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: overlays on a base read as qemu-img says; the device has the image's size, is read-only, and goes when told to
# needs: vm 6.1 6.12 7.2

truncate -s 20M "$T/base.raw"
fill "$T/base.raw" 0 3M
fill "$T/base.raw" 10M 5M 2
qemu-img convert -f raw -O qcow2 "$T/base.raw" "$T/base.qcow2"
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 "$T/mid.qcow2"
qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 "$T/top.qcow2" 24M
qemu-io -f qcow2 -c 'write -q -P 7 1M 70k' -c 'write -q -z 11M 1M' "$T/mid.qcow2"
qemu-io -f qcow2 -c 'write -q -P 8 1040k 512' -c 'write -q -P 9 23M 1M' "$T/top.qcow2"
expected qcow2 "$T/top.qcow2" "$T/expected"

attach disk qcow2 "$T/top.qcow2" qcow2 "$T/mid.qcow2" qcow2 "$T/base.qcow2"
want size $((24 << 20)) "$(blockdev --getsize64 /dev/mapper/disk)"
want read-only 1 "$(blockdev --getro /dev/mapper/disk)"
same_as disk "$T/expected"
same_as disk "$T/expected" -b
if dd if=/dev/zero of=/dev/mapper/disk bs=4k count=1 oflag=direct conv=notrunc status=none; then
	fail "a read-only device took a write"
fi
same_as disk "$T/expected"
detach disk
[ ! -e /dev/mapper/disk ] || fail "detached, but still there"
