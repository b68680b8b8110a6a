# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an image whose bitmap directory is broken is refused, as QEMU refuses it; each byte of an entry is set to 255
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

qemu-img create -q -f qcow2 -o cluster_size=4k image 1M
qemu-img bitmap --add -g 64k image bits
# the bitmaps extension: magic 23852875, length 24, count, reserved, size, offset
at=$(LC_ALL=C grep -aboP '\x23\x85\x28\x75\x00\x00\x00\x18' image | sed -n 1p | cut -d: -f1)
directory=$((16#$(od -An -tx1 -j $((at + 24)) -N 8 image | tr -d ' ')))
refused=' '
for ((byte = 0; byte < 28; byte++)); do
	cp image broken
	printf '\377' | dd of=broken bs=1 seek=$((directory + byte)) conv=notrunc status=none
	# QEMU also reads the bitmap itself, and refuses more
	if qcowctl map broken >/dev/null 2>said; then continue; fi
	refused+="$byte "
	! qemu-img info broken >/dev/null 2>&1 || fail "byte $byte: QEMU opens it, but: $(cat said)"
	grep -q 'bitmap' said || fail "byte $byte: $(cat said)"
done
# the table's place and size, flags, type, granularity, and the lengths of what follows
for byte in 0 8 12 16 17 18 20; do
	[[ $refused == *" $byte "* ]] || fail "byte $byte: opened all the same"
done
