# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a job that finds no room below pauses, with an event, a status and a sentence that say so, and goes on when there is room; when its time is over it fails with ENOSPC, and with nospace_timeout:0 at once; it can be cancelled while it waits. Guests go on, the chain shows the same, and the job can be started again
# needs: vm 6.12 (6.1 7.2) timeout 180

events() { dmsetup info -c --noheadings -o events disk; }
# becomes STATE...: the job gets to one of these
becomes() {
	for _ in $(seq 300); do
		[[ " $* " != *" $(status_of disk job_state) "* ]] || return 0
		sleep 0.1
	done
	fail "the job is $(status_of disk job_state), not $*: $(dmsetup status disk)"
}
# tight: 2 MiB are left of the small file system
tight() {
	sync -f "$T/small"
	fallocate -l $(($(stat -fc '%a * %S' "$T/small") - (2 << 20))) "$T/small/ballast"
}
# begin [OPTION]: 8 MiB in the top, and a base with room for 2 of them
begin() {
	qemu-img create -q -f qcow2 "$T/small/base" 64M
	qemu-img create -q -f qcow2 -b "$T/small/base" -F qcow2 "$T/top" 64M
	attach_rw disk qcow2 "$T/top" qcow2 "$T/small/base" -- "$@"
	dd if="$T/data" of=/dev/mapper/disk bs=1M oflag=direct conv=fsync status=none
	tight
	before=$(events)
	log_mark
	dmsetup message disk 0 commit "$T/top" "$T/small/base"
}
# usable: by guests, in the top, where there is room
usable() {
	dd if="$T/data" of=/dev/mapper/disk bs=64k count=4 oflag=direct conv=notrunc status=none || fail "a write"
	flush || fail "a flush"
	cmp -n $((8 << 20)) "$T/data" /dev/mapper/disk || fail "the disk shows something else"
	want mode rw "$(status_of disk mode)"
}
# ends: with room the job started again ends well.
ends() {
	rm -f "$T/small/ballast"
	dmsetup message disk 0 commit "$T/top" "$T/small/base" || fail "it cannot be started again"
	becomes "done" failed cancelled
	finished
}
finished() {
	want "the job" "done" "$(status_of disk job_state)"
	want layers 1 "$(status_of disk layers)"
	usable
	detach disk
	qemu-img check -q "$T/small/base" || fail "qemu-img check"
	qemu-img convert -f qcow2 -O raw "$T/small/base" "$T/raw"
	cmp -n $((8 << 20)) "$T/data" "$T/raw" || fail "qemu-img reads something else"
	rm -f "$T/small/base" "$T/small/ballast" "$T/top" "$T/raw"
}

small_host
fill "$T/data" 0 8M

echo "-- room comes"
begin
becomes paused
(($(events) > before)) || fail "no event"
read_log
matches 'small/base: no room; the job waits 60 s for more' "$LOG" || fail "the log: $LOG"
rm "$T/small/ballast"
becomes "done" failed
finished

echo "-- cancelled while it waits"
begin
becomes paused
dmsetup message disk 0 job cancel
becomes cancelled
usable
ends

echo "-- its time is over"
begin nospace_timeout:2
becomes failed "done"
want "the error" 28 "$(status_of disk job_error)"
read_log
matches 'the commit job failed: error 28; the chain is valid, and it may be started again' "$LOG" || fail "the log: $LOG"
(($(events) >= before + 2)) || fail "no event for the end"
usable
ends

echo "-- it may not wait"
begin nospace_timeout:0
becomes failed "done"
want "the error" 28 "$(status_of disk job_error)"
read_log
! matches 'the job waits' "$LOG" || fail "it waits: $LOG"
usable
ends

umount "$T/small"
losetup -d "$loop"
