# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: when the bytes of a compressed cluster cannot be read, who reads it gets EIO, and so does who writes a part of it, which leaves it as it was; its neighbours are not concerned, nothing is remembered when all is well again below, and the device goes on being written
# needs: vm 6.12 (6.1 7.2)

C=65536
read_at() { dd if=/dev/mapper/disk of="$T/got" bs=$C skip="$1" count=1 iflag=direct status=none 2>"$T/said"; }
# patch: the first sectors of cluster 8
patch() { dd if="$T/new" of=/dev/mapper/disk bs=4k count=1 seek=$((8 * 16)) oflag=direct conv=notrunc status=none 2>"$T/said"; }
right() { read_at "$1" && cmp "$T/got" <(tail -c +$(($1 * C + 1)) "$T/data" | dd bs=$C count=1 iflag=fullblock status=none); }

fill "$T/data" 0 1M
fill "$T/new" 0 4k 2
qemu-img convert -c -f raw -O qcow2 "$T/data" "$T/image"
pool lower $((8 << 20))
good=$(dmsetup table lower)
to_block "$T/image" /dev/mapper/lower
l2=$(($(peek "$T/image" "$(peek "$T/image" 40 8)" 8) & 0xfffffffffffe00))
word=$(peek "$T/image" $((l2 + 8 * 8)) 8)
((word & 1 << 62)) || fail "the cluster is not compressed"
# A sector in the middle of it, which is its own alone.
sector=$(((word & 0x3fffffffffffff) / 512 + 8))
attach_rw disk qcow2 /dev/mapper/lower
start=${good##* }
set_lower <<END
0 $sector linear $POOL $start
$sector 1 error
$((sector + 1)) $((16384 - sector - 1)) linear $POOL $((start + sector + 1))
END
for _ in 1 2; do
	! read_at 8 || fail "it reads"
	grep -q 'Input/output error' "$T/said" || fail "$(<"$T/said")"
	! patch || fail "a part of it is written"
	grep -q 'Input/output error' "$T/said" || fail "$(<"$T/said")"
done
right 7 || fail "a neighbour"
right 9 || fail "a neighbour"
(($(status_of disk errors) >= 4)) || fail "errors are not counted: $(dmsetup status disk)"
want mode rw "$(status_of disk mode)"
want corrupt 0 "$(status_of disk corrupt)"
set_lower <<<"$good"
right 8 || fail "the error is remembered"
patch || fail "a part of it cannot be written: $(<"$T/said")"
dd if="$T/new" of="$T/data" bs=4k seek=$((8 * 16)) conv=notrunc status=none
dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none || fail "a flush"
same_as disk "$T/data"
detach disk
qemu-img check -q /dev/mapper/lower || fail "qemu-img check"
detach lower
