# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: dm-linear on top, also in pieces out of order, and below, also under single layers of a chain
# needs: vm 6.1 6.12 7.2

cp "$FIXTURES/top.expected" "$T/expected"
cp "$FIXTURES/top.qcow2" "$T/"
pool lower "$(stat -c %s "$FIXTURES/packed.qcow2")"
to_block "$FIXTURES/packed.qcow2" /dev/mapper/lower
attach disk qcow2 "$T/top.qcow2" qcow2 /dev/mapper/lower
same_as disk "$T/expected"

# the halves changed over
dmsetup create --readonly over <<-END
	0 8192 linear /dev/mapper/disk 8192
	8192 8192 linear /dev/mapper/disk 0
END
{ tail -c 4M "$T/expected"; head -c 4M "$T/expected"; } >"$T/over"
same_as over "$T/over"
want "logical block size" "$(blockdev --getss /dev/mapper/disk)" "$(blockdev --getss /dev/mapper/over)"
detach over

# what lies below cannot go while it is in use
if dmsetup remove lower 2>/dev/null; then fail "the device below a layer was removed"; fi
detach disk
detach lower
