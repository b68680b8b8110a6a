# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a file that its file system cannot write to by offset (hugetlbfs) is refused where it would be written, by a table and by a job; the kernel says so in one sentence and nothing happens to it
# needs: vm 6.12 (6.1 7.2)

mkdir "$T/huge"
mount -t hugetlbfs none "$T/huge"
truncate -s 4M "$T/huge/file"
table="0 8192 qcow2 rw 1 raw $T/huge/file"
refused_rw 'cannot be written' "$table"

# Who only reads may have it, or is told why not.
log_mark
if dmsetup create --readonly disk --table "${table/ rw / ro }" 2>/dev/null; then
	dmsetup status disk
	detach disk
else
	grep -q 'qcow2: .*file' <<<"$(log_since_mark)" || fail "no sentence: $(log_since_mark)"
fi

# As the base of a chain it is not written, until it is to be merged into.
qemu-img create -q -u -f qcow2 -b "$T/huge/file" -F raw "$T/top" 4M
log_mark
if dmsetup create disk --table "0 8192 qcow2 rw 2 qcow2 $T/top raw $T/huge/file" 2>/dev/null; then
	log_mark
	if dmsetup message disk 0 commit "$T/top" "$T/huge/file" 2>/dev/null; then
		fail "a job that writes to it is accepted"
	fi
	read_log
	matches 'cannot be written' "$LOG" || fail "no sentence: $LOG"
	want "mode" rw "$(status_of disk mode)"
	detach disk
else
	grep -q 'qcow2: .*file' <<<"$(log_since_mark)" || fail "no sentence: $(log_since_mark)"
fi
umount "$T/huge"
