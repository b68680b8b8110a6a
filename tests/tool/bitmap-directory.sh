# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an image whose bitmap directory is broken is opened exactly where QEMU opens it, for every byte of an entry set to 255
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

qemu-img create -q -f qcow2 -o cluster_size=4k image 1M
qemu-img bitmap --add -g 64k image bits
# the bitmaps extension: magic 23852875, length 24, count, reserved, size, offset
at=$(LC_ALL=C grep -aboP '\x23\x85\x28\x75\x00\x00\x00\x18' image | head -n 1 | cut -d: -f1)
directory=$((16#$(od -An -tx1 -j $((at + 24)) -N 8 image | tr -d ' ')))
refused=0
for ((byte = 0; byte < 28; byte++)); do
	cp image broken
	printf '\377' | dd of=broken bs=1 seek=$((directory + byte)) conv=notrunc status=none
	theirs=opens ours=opens
	qemu-img info broken >/dev/null 2>&1 || theirs=refused
	qcowctl map broken >/dev/null 2>said || ours=refused
	want "byte $byte" $theirs $ours
	[ $ours = opens ] || { refused=$((refused + 1)); grep -q 'bitmap' said || fail "byte $byte: $(cat said)"; }
done
((refused > 10 && refused < 28)) || fail "$refused of 28 bytes matter"
