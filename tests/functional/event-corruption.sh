# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a broken table entry fails its own cluster alone, is counted, and fires an event once; the image is not touched
# needs: vm 6.12 7.2 (6.1)

qemu-img create -q -f qcow2 "$T/image" 4M
fill "$T/data" 0 4M
qemu-io -f qcow2 -c "write -q -s $T/data 0 4M" "$T/image"
# the L2 entry of cluster 5 points between two clusters
l2=$(($(peek "$T/image" "$(peek "$T/image" 40 8)" 8) & 0xffffffffffff))
at=$((l2 + 5 * 8))
poke "$T/image" $((at + 6)) 1 $(($(peek "$T/image" $((at + 6)) 1) | 2))
sum=$(sha256sum <"$T/image")

attach disk qcow2 "$T/image"
event=$(dmsetup info -c --noheadings -o events disk)
timeout 20 dmsetup wait disk "$event" &
waiter=$!
sleep 0.5
kill -0 $waiter || fail "an event before anything happened"
# read_at CLUSTER [COUNT]: into $T/out
read_at() {
	dd if=/dev/mapper/disk of="$T/out" bs=64k skip="$1" count="${2:-1}" iflag=direct status=none 2>"$T/err"
}

if read_at 5; then fail "the broken cluster reads"; fi
grep -q 'Input/output error' "$T/err" || fail "$(cat "$T/err")"
read_at 0 5
cmp "$T/out" <(head -c $((5 << 16)) "$T/data")
read_at 6 58
cmp "$T/out" <(tail -c $((58 << 16)) "$T/data")
wait $waiter || fail "no event"
(($(status_of disk corrupt) > 0)) || fail "corrupt is not counted: $(dmsetup status disk)"
(($(status_of disk errors) > 0)) || fail "errors are not counted: $(dmsetup status disk)"

# buffered reads see it too, and the second time is no second event
now=$(dmsetup info -c --noheadings -o events disk)
if dd if=/dev/mapper/disk of=/dev/null bs=64k skip=5 count=1 status=none 2>/dev/null; then fail "reads through the cache"; fi
if read_at 5; then fail "the broken cluster reads the second time"; fi
want "events" "$now" "$(dmsetup info -c --noheadings -o events disk)"
detach disk
want "image" "$sum" "$(sha256sum <"$T/image")"
