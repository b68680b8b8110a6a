# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: errors of what lies below fail the reads they hit, are not remembered once it is well again, and hang nothing
# needs: vm 6.1 6.12 7.2

truncate -s 8M "$T/raw"
fill "$T/raw" 0 8M
qemu-img convert -f raw -O qcow2 "$T/raw" "$T/image"
sectors=$((($(stat -c %s "$T/image") + 511) / 512))
pool lower "$(stat -c %s "$T/image")"
to_block "$T/image" /dev/mapper/lower
good=$(dmsetup table lower)

# break_at SECTOR COUNT
break_at() {
	local after=$(($1 + $2)) start
	start=$(awk '{ print $5 }' <<<"$good")
	{
		(($1 == 0)) || echo "0 $1 linear $POOL $start"
		echo "$1 $2 error"
		((after == sectors)) || echo "$after $((sectors - after)) linear $POOL $((start + after))"
	} | dmsetup reload lower
	dmsetup suspend --noflush lower
	dmsetup resume lower
}
mend() {
	dmsetup reload lower --table "$good"
	dmsetup suspend --noflush lower
	dmsetup resume lower
}
read_at() { dd if=/dev/mapper/disk of=/dev/null bs=64k skip="$1" count=1 iflag=direct status=none 2>/dev/null; }

# data: the host cluster of guest cluster 20
l2=$(($(peek "$T/image" "$(peek "$T/image" 40 8)" 8) & 0xffffffffffff))
host=$(($(peek "$T/image" $((l2 + 160)) 8) & 0xffffffffffff))
attach disk qcow2 /dev/mapper/lower
for n in 1 2; do
	break_at $((host / 512)) 128
	read_at 19 || fail "a neighbour fails"
	if read_at 20; then fail "data from a broken place"; fi
	read_at 21 || fail "a neighbour fails"
	mend
	read_at 20 || fail "the error is remembered"
done
same_as disk "$T/raw"
want corrupt 0 "$(status_of disk corrupt)"
detach disk

# metadata: the L2 table itself
attach disk qcow2 /dev/mapper/lower
break_at $((l2 / 512)) 128
if read_at 3; then fail "read without a table"; fi
if read_at 100; then fail "read without a table"; fi
(($(status_of disk errors) > 0)) || fail "not counted"
mend
# what could not be read was never known; it may take a reload to ask again
dmsetup table disk | dmsetup reload --readonly disk
dmsetup resume disk
same_as disk "$T/raw"
want corrupt 0 "$(status_of disk corrupt)"

# the header when it is attached
detach disk
break_at 0 8
refused 'read|error' "$(table qcow2 "$T/image" | sed "s|$T/image|/dev/mapper/lower|")"
mend
detach lower
