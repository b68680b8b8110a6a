# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: when what guests wrote cannot be flushed at a suspend, the table that is swapped in then says so, too, whether it has one more layer on top or is the same: it is failed_ro, says why, and no flush succeeds, though all is well again below
# needs: vm 6.12 (6.1 7.2) timeout 180

SECTORS=65536 # of what can break

fill "$T/data" 0 1M
for format in raw qcow2; do
	# The table that follows says what the one before said.
	why=a_flush_failed
	[ $format = raw ] || why=the_file_cannot_be_flushed
	for swap in over same; do
		echo "-- a top that is $format, and $swap"
		pool lower $((SECTORS * 512))
		good=$(dmsetup table lower)
		[ $format = raw ] || qemu-img create -q -f qcow2 -o preallocation=metadata /dev/mapper/lower 30M
		attach_rw disk $format /dev/mapper/lower
		write_at 320
		flush
		write_at 320
		size=$(size_of $format /dev/mapper/lower)
		rm -f "$T/over"
		qemu-img create -q -u -f qcow2 -b /dev/mapper/lower -F $format "$T/over" $((size * 512))
		if [ $swap = over ]; then
			dmsetup load disk --table "0 $size qcow2 rw 2 qcow2 $T/over $format /dev/mapper/lower"
		else
			dmsetup load disk --table "$(dmsetup table disk)"
		fi
		log_mark
		no_writes $SECTORS
		dmsetup suspend --nolockfs disk || echo "suspend: status $?"
		set_lower <<<"$good"
		dmsetup resume disk
		want mode failed_ro "$(status_of disk mode)"
		want why $why "$(status_of disk why)"
		read_log
		matches "${why//_/ }; nothing is written from now on, and flushes fail" "$LOG" || fail "the log: $LOG"
		for _ in 1 2; do
			! flush 2>/dev/null || fail "fsync succeeds, and what was written is not durable"
		done
		! write_at 16 2>/dev/null || fail "a write goes on"
		dd if=/dev/mapper/disk of=/dev/null bs=1M count=4 iflag=direct status=none || fail "reading"
		detach disk
		attach_rw disk $format /dev/mapper/lower
		write_at 320 || fail "a write after it was attached again"
		flush || fail "fsync after it was attached again"
		want "mode after it was attached again" rw "$(status_of disk mode)"
		detach disk
		detach lower
		pool_reset
	done
done
