# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: metadata that nobody flushes are written after some seconds: if that fails, without any request of a guest, an event, the status and the log say so, the next flush fails and nothing more is written; if it fails when the device is detached, the log says so. What is on the disk is the state before, or leaks
# needs: vm 6.12 (6.1 7.2) timeout 120

# break_at SECTOR COUNT: neither read nor written; flushes succeed
break_at() {
	local start=${good##* } sectors after=$(($1 + $2))
	read -r _ sectors _ <<<"$good"
	set_lower <<END
0 $1 linear $POOL $start
$1 $2 error
$after $((sectors - after)) linear $POOL $((start + after))
END
}
begin() {
	pool lower $((16 << 20))
	good=$(dmsetup table lower)
	qemu-img create -q -f qcow2 /dev/mapper/lower 8M
	attach_rw disk qcow2 /dev/mapper/lower
	# The tables are there, and known.
	write_at 0
	flush
}
end() {
	local rc=0
	set_lower <<<"$good"
	detach disk 2>/dev/null || true
	qemu-img check /dev/mapper/lower >"$T/check" 2>&1 || rc=$?
	cat "$T/check"
	((rc == 0 || rc == 3)) || fail "qemu-img check: status $rc"
	cmp -n $((256 << 10)) "$T/data" <(qemu-img convert -f qcow2 -O raw /dev/mapper/lower "$T/raw" && cat "$T/raw") ||
		fail "what was flushed is lost"
	detach lower
	pool_reset
}

fill "$T/data" 0 256k
echo "-- after some seconds"
begin
# until what the writes so far have set going is over
sleep 6
events=$(dmsetup info -c --noheadings -o events disk)
# refcounts, L1 and the first L2 table
break_at 128 512
log_mark
write_at 16 || fail "a write of data fails"
for _ in $(seq 300); do
	[ "$(status_of disk mode)" = rw ] || break
	sleep 0.1
done
want mode failed_ro "$(status_of disk mode)"
want why metadata_cannot_be_written "$(status_of disk why)"
(($(dmsetup info -c --noheadings -o events disk) > events)) || fail "no event"
read_log
matches 'mapper/lower: metadata cannot be written; it is read-only from now on' "$LOG" || fail "the log: $LOG"
matches 'metadata cannot be written; nothing is written from now on, and flushes fail' "$LOG" || fail "the log: $LOG"
set_lower <<<"$good"
! flush 2>/dev/null || fail "a flush succeeds"
! write_at 32 2>/dev/null || fail "a write goes on"
cmp "$T/data" <(dd if=/dev/mapper/disk bs=64k skip=16 count=4 iflag=direct status=none) || fail "what was written does not read"
end

echo "-- when it is detached"
begin
write_at 16
flush
blkdiscard -o $((16 << 16)) -l $((4 << 16)) /dev/mapper/disk
# This writes that they are gone, and leaves refcounts that say so to be written later.
flush
# the refcounts alone
break_at 256 128
log_mark
detach disk
read_log
matches 'closing: /dev/mapper/lower: metadata cannot be written; it is read-only from now on' "$LOG" || fail "the log: $LOG"
end
grep -q leaked "$T/check" || fail "the refcounts were written: $(<"$T/check")"
