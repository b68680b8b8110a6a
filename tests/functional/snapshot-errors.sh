# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a snapshot or a new size that finds no room is refused, and the device goes on; one whose tables cannot be written, or whose old ones cannot be read, fails: the image stays what it was, and the device stops writing in the first case alone, with an event, a status and a sentence
# needs: vm 6.12 (6.1 7.2) timeout 120

# lower BYTES OPTIONS SIZE: an image on a block device
lower() {
	pool lower "$1"
	good=$(dmsetup table lower)
	start=${good##* }
	qemu-img create -q -f qcow2 ${2:+-o "$2"} /dev/mapper/lower "$3"
}
# asked ERRNO REGEX WORD...: this message to the suspended device fails.
asked() {
	local errno=$1 regex=$2
	shift 2
	log_mark "$*"
	dmsetup suspend --nolockfs disk
	if dmsetup message disk 0 "$@" 2>"$T/said"; then
		dmsetup resume disk
		fail "$* succeeds"
	fi
	dmsetup resume disk
	grep "$errno" "$T/said" || fail "$*: $(<"$T/said")"
	read_log
	matches "dm-qcow2: [0-9:]+ $regex" "$LOG" || fail "$*: the log: $LOG"
}
end() {
	local rc=0
	detach disk
	blockdev --flushbufs /dev/mapper/lower
	qemu-img check /dev/mapper/lower >"$T/check" 2>&1 || rc=$?
	((rc == 0 || rc == 3)) || fail "qemu-img check: $(<"$T/check")"
	want "snapshots" "" "$(qemu-img snapshot -l /dev/mapper/lower)"
	want "size" "$1" "$(qemu-img info --output=json /dev/mapper/lower | jq '."virtual-size"')"
	qemu-img convert -f qcow2 -O raw /dev/mapper/lower "$T/raw"
	cmp -n $((256 << 10)) "$T/data" "$T/raw" || fail "the image shows something else"
	detach lower
	pool_reset
}

fill "$T/data" 0 256k

echo "-- no room"
lower $((4 << 20)) '' 64M
attach_rw disk qcow2 /dev/mapper/lower -- nospace_timeout:0
write_at 0
# until each cluster of the device is one of the image
for ((i = 4; i < 100; i++)); do
	dd if="$T/data" of=/dev/mapper/disk bs=64k count=1 seek=$i oflag=direct conv=notrunc status=none 2>/dev/null || break
done
((i < 100)) || fail "100 clusters of 64 KiB fit into 4 MiB"
flush
asked 'No space left' 'there is no room for the new tables' snapshot create tag 1 2
asked 'No space left' 'there is no room for the new tables' resize $((8 << 21))
want mode rw "$(status_of disk mode)"
write_at 0 || fail "a write"
flush || fail "a flush"
end $((64 << 20))

echo "-- the old tables cannot be read"
lower $((16 << 20)) '' 8M
attach_rw disk qcow2 /dev/mapper/lower
write_at 0
flush
set_lower <<END
0 512 linear $POOL $start
512 128 error
640 32128 linear $POOL $((start + 640))
END
asked 'Input/output error' 'the L2 table at 262144 cannot be read' snapshot create tag 1 2
want mode rw "$(status_of disk mode)"
set_lower <<<"$good"
write_at 0 || fail "a write"
flush || fail "a flush"
end $((8 << 20))

echo "-- the new tables cannot be written"
lower $((16 << 20)) '' 8M
attach_rw disk qcow2 /dev/mapper/lower
write_at 0
flush
events=$(dmsetup info -c --noheadings -o events disk)
# behind what the image has: header, four tables, four clusters of data
set_lower <<END
0 1152 linear $POOL $start
1152 31616 error
END
asked 'Input/output error' 'the refcounts cannot be read or written' snapshot create tag 1 2
want mode failed_ro "$(status_of disk mode)"
want why a_refcount_block_cannot_be_written "$(status_of disk why)"
(($(dmsetup info -c --noheadings -o events disk) > events)) || fail "no event"
set_lower <<<"$good"
! flush 2>/dev/null || fail "a flush succeeds"
! write_at 0 2>/dev/null || fail "a write goes on"
cmp -n $((256 << 10)) "$T/data" /dev/mapper/disk || fail "reading"
end $((8 << 20))
