# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: when a file that guests have written cannot be flushed, at a job's end, at its cancellation or at a suspend, the next fsync says so though all is well again below, and every one after it, under the same table or another: the device is failed_ro, and says why, until it is detached
# rule: ERROR-STAYS
# needs: vm 6.12 (6.1 7.2) timeout 600

SECTORS=65536 # of what can break

# kept WHAT: nothing is called durable any more.
kept() {
	local n
	for n in 1 2; do
		! flush 2>/dev/null || fail "$1: fsync $n succeeds, and what was written is not durable"
	done
	want "$1: mode" failed_ro "$(status_of disk mode)"
	[ -n "$(status_of disk why)" ] || fail "$1: it does not say why"
	! write_at 16 2>/dev/null || fail "$1: a write goes on"
	! dd if="$T/data" of=/dev/mapper/disk bs=64k count=1 seek=480 oflag=direct conv=notrunc status=none 2>/dev/null ||
		fail "$1: a write of a new cluster goes on"
	! flush 2>/dev/null || fail "$1: fsync after writes succeeds"
	dmsetup suspend disk
	dmsetup resume disk
	! flush 2>/dev/null || fail "$1: fsync after suspend and resume succeeds"
	want "$1: mode after suspend and resume" failed_ro "$(status_of disk mode)"
	same="$(dmsetup table disk)"
	dmsetup load disk --table "$same"
	dmsetup suspend disk
	dmsetup resume disk
	! flush 2>/dev/null || fail "$1: fsync after a reload succeeds"
	want "$1: mode after a reload" failed_ro "$(status_of disk mode)"
	reload_above "$same" "$1"
	dd if=/dev/mapper/disk of=/dev/null bs=1M count=4 iflag=direct status=none || fail "$1: reading"
}

# reload_above TABLE WHAT: a table that only reads, and then one with a layer above
reload_above() {
	local above
	read -ra above <<<"$1"
	rm -f "$T/above"
	qemu-img create -q -u -f qcow2 -b "${above[6]}" -F "${above[5]}" "$T/above" $((above[1] * 512))
	dmsetup load disk --readonly --table "${1/ rw / ro }"
	dmsetup suspend disk
	dmsetup resume disk
	dmsetup load disk --table "${above[*]:0:4} $((above[4] + 1)) qcow2 $T/above ${above[*]:5}"
	dmsetup suspend disk
	dmsetup resume disk
	! flush 2>/dev/null || fail "$2: fsync with a layer above succeeds"
	want "$2: mode with a layer above" failed_ro "$(status_of disk mode)"
	! write_at 16 2>/dev/null || fail "$2: a write with a layer above"
}

# begin FORMAT: the base is what breaks; a job on it is busy for minutes with what the top has.
begin() {
	pool lower $((SECTORS * 512))
	good=$(dmsetup table lower)
	if [ "$1" = qcow2 ]; then
		qemu-img create -q -f qcow2 -o preallocation=metadata /dev/mapper/lower 30M
	fi
	size=$(size_of "$1" /dev/mapper/lower)
	qemu-img create -q -f qcow2 -b /dev/mapper/lower -F "$1" "$T/top" $((size * 512))
	attach_rw disk qcow2 "$T/top" "$1" /dev/mapper/lower
	dd if="$T/data" of=/dev/mapper/disk bs=64k count=16 oflag=direct conv=fsync status=none
	dmsetup message disk 0 commit "$T/top" /dev/mapper/lower rate:1
	for _ in $(seq 100); do
		(($(status_of disk job_moved) == 0)) || break
		sleep 0.1
	done
	(($(status_of disk job_moved))) || fail "the job does not begin"
	flush
	# this goes to the base
	write_at 320
}
# end: another device is not concerned.
end() {
	detach disk
	attach_rw disk qcow2 "$T/top" "$1" /dev/mapper/lower
	write_at 320 || fail "a write after it was attached again"
	flush || fail "fsync after it was attached again"
	want "mode after it was attached again" rw "$(status_of disk mode)"
	detach disk
	detach lower
	pool_reset
	rm -f "$T/top"
}

"$BIN/stamp" 1 $((1 << 20)) >"$T/data"
for format in raw qcow2; do
	for moment in cancel end suspend; do
		echo "-- a base that is $format, $moment"
		begin $format
		no_writes $SECTORS
		case $moment in
		cancel) dmsetup message disk 0 job cancel; wait_job ;;
		end) dmsetup message disk 0 job rate 0; wait_job ;;
		suspend) dmsetup suspend --nolockfs disk || echo "suspend: status $?" ;;
		esac
		set_lower <<<"$good"
		[ $moment != suspend ] || dmsetup resume disk
		echo "job: $(status_of disk job_state)"
		kept "$moment, $format"
		end $format
	done
done

# The same without a job: the top itself.
for format in raw qcow2; do
	echo "-- a top that is $format, suspend"
	pool lower $((SECTORS * 512))
	good=$(dmsetup table lower)
	[ $format = raw ] || qemu-img create -q -f qcow2 -o preallocation=metadata /dev/mapper/lower 30M
	attach_rw disk $format /dev/mapper/lower
	write_at 320
	flush
	write_at 320
	no_writes $SECTORS
	dmsetup suspend --nolockfs disk || echo "suspend: status $?"
	set_lower <<<"$good"
	dmsetup resume disk
	kept "suspend, a top that is $format"
	detach disk
	detach lower
	pool_reset
done
