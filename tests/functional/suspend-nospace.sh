# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a suspend, or a snapshot, while writes wait for room waits with them and nothing fails; one with --noflush does not wait, and they wait on after the resume; when their time is over they fail and the suspend ends
# rule: SUSPEND-LOSES-NOTHING
# needs: vm 6.12 (6.1 7.2) timeout 600

# tight [OPTION]: a disk with room for about 2 MiB, until the ballast goes
tight() {
	truncate -s 32M "$T/disk.img"
	loop=$(losetup -f --show "$T/disk.img")
	mkfs.ext4 -q -F -m 0 "$loop"
	mkdir -p "$T/small"
	mount "$loop" "$T/small"
	qemu-img create -q -f qcow2 "$T/small/image" 64M
	attach_rw disk qcow2 "$T/small/image" -- "$@"
	dd if="$T/data" of=/dev/mapper/disk bs=64k count=16 oflag=direct conv=fsync status=none
}
ballast() {
	sync -f "$T/small"
	fallocate -l $(($(stat -fc '%a * %S' "$T/small") - (2 << 20))) "$T/small/ballast"
}
loosen() {
	detach disk
	qemu-img check -q "$T/small/image" || (($? == ${1:-0})) || fail "qemu-img check"
	umount "$T/small"
	losetup -d "$loop"
}
# short_of_room [PID]: wait until writes wait, or that process ends.
short_of_room() {
	for _ in $(seq 300); do
		[ "$(status_of disk mode)" != out_of_space ] || return 0
		[ -z "${1:-}" ] || kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	fail "mode $(status_of disk mode)"
}
# write_all: 8 MiB from four writers, in the background
write_all() {
	local i
	writers=()
	for i in 0 1 2 3; do
		dd if="$T/data" of=/dev/mapper/disk bs=64k skip=$((i * 32)) seek=$((64 + i * 32)) count=32 oflag=direct status=none \
			2>>"$T/said" &
		writers+=($!)
	done
}
written() {
	local pid
	for pid in "${writers[@]}"; do
		wait "$pid" || fail "$1: a write fails: $(cat "$T/said")"
	done
	cmp -n $((8 << 20)) "$T/data" <(dd if=/dev/mapper/disk bs=1M skip=4 count=8 iflag=direct status=none) ||
		fail "$1: what was written is not there"
}
quiet() {
	read_log
	! matches 'I/O error|lost |failed' "$LOG" || fail "$1: $(grep -m 1 -E 'I/O error|lost |failed' <<<"$LOG")"
}

"$BIN/stamp" 1 $((8 << 20)) >"$T/data"
mkdir "$T/mnt"

for how in suspend snapshot; do
	echo "-- $how, with a file system above that has much to write"
	tight
	mkfs.ext4 -q /dev/mapper/disk
	mount /dev/mapper/disk "$T/mnt"
	ballast
	log_mark
	cp "$T/data" "$T/mnt/file"
	if [ $how = suspend ]; then dmsetup suspend disk & else qcowctl snapshot disk "$T/over" & fi
	pid=$!
	short_of_room $pid
	sleep 1
	kill -0 $pid 2>/dev/null || fail "$how does not wait for writes that wait for room: $(grep -m 1 'I/O error' <<<"$(log_since_mark)")"
	rm "$T/small/ballast"
	wait $pid || fail "$how: status $?"
	[ $how = snapshot ] || dmsetup resume disk
	sync "$T/mnt/file" || fail "$how: fsync"
	quiet $how
	want "mode after $how" rw "$(status_of disk mode)"
	echo 3 >/proc/sys/vm/drop_caches
	cmp "$T/data" "$T/mnt/file" || fail "$how: data are lost"
	umount "$T/mnt"
	loosen
	rm -f "$T/over"
done

echo "-- suspend without the freeze"
tight
ballast
log_mark
write_all
short_of_room
dmsetup suspend --nolockfs disk &
pid=$!
sleep 2
kill -0 $pid 2>/dev/null || fail "a suspend does not wait for direct writes that wait for room"
rm "$T/small/ballast"
wait $pid || fail "suspend --nolockfs: status $?"
dmsetup resume disk
written "suspend --nolockfs"
quiet "suspend --nolockfs"
loosen

echo "-- suspend that does not wait"
tight
ballast
log_mark
write_all
short_of_room
timeout 20 dmsetup suspend --noflush --nolockfs disk || fail "suspend --noflush: status $?"
sleep 1
for pid in "${writers[@]}"; do
	kill -0 "$pid" 2>/dev/null || wait "$pid" || fail "suspend --noflush: a write that waits fails: $(cat "$T/said")"
done
dmsetup resume disk
short_of_room
# a second time, and room comes while it is suspended
timeout 20 dmsetup suspend --noflush --nolockfs disk || fail "suspend --noflush again: status $?"
rm "$T/small/ballast"
dmsetup resume disk
written "suspend --noflush"
quiet "suspend --noflush"
want mode rw "$(status_of disk mode)"
loosen

echo "-- until their time is over"
tight nospace_timeout:4
ballast
write_all
short_of_room
timeout 60 dmsetup suspend --nolockfs disk || fail "a suspend does not end with the writes that it waits for: status $?"
failed=0
for pid in "${writers[@]}"; do
	wait "$pid" || failed=$((failed + 1))
done
((failed)) || fail "no write fails when its time is over"
grep -q 'No space left' "$T/said" || fail "$(cat "$T/said")"
dmsetup resume disk
rm "$T/small/ballast"
dd if="$T/data" of=/dev/mapper/disk bs=64k seek=64 oflag=direct conv=fsync status=none || fail "no write goes on with room"
cmp -n $((8 << 20)) "$T/data" <(dd if=/dev/mapper/disk bs=1M skip=4 count=8 iflag=direct status=none) || fail "wrong bytes"
loosen 3
