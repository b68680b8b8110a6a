# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: who changes an image and meets a table that contradicts itself gets EIO; nothing more is written, an event and the status say why, the log names the file, the image is marked corrupt for others if its version can say so, and reading goes on
# needs: vm 6.12 (6.1 7.2) timeout 120

C=65536
# put CLUSTER: new bytes for it
put() { dd if="$T/new" of=/dev/mapper/disk bs=$C count=1 seek="$1" oflag=direct conv=notrunc status=none; }
forget() { blkdiscard -o $(($1 * C)) -l $C /dev/mapper/disk; }
forget_durably() { forget "$1" && flush; }

# make OPTIONS: an image with data in clusters 0 to 15; sets L1, L2 and BLOCK, where its tables lie
make() {
	qemu-img create -q -f qcow2 ${1:+-o "$1"} "$T/image" 4M
	qemu-io -f qcow2 -c "write -q -s $T/data 0 1M" "$T/image"
	L1=$(peek "$T/image" 40 8)
	L2=$(($(peek "$T/image" "$L1" 8) & 0xfffffffffffe00))
	BLOCK=$(peek "$T/image" "$(peek "$T/image" 48 8)" 8)
}

# met WHY MARK COMMAND...: it fails and WHY is told. MARK: 2 or 0, the image's bit that says corrupt
met() {
	local why=$1 mark=$2 events
	shift 2
	echo "-- $why, by $*"
	attach_rw disk qcow2 "$T/image"
	events=$(dmsetup info -c --noheadings -o events disk)
	log_mark "$why"
	! "$@" 2>"$T/said" || fail "$* succeeds"
	grep -q 'Input/output error' "$T/said" || fail "$*: $(<"$T/said")"
	want mode failed_ro "$(status_of disk mode)"
	want why "${why// /_}" "$(status_of disk why)"
	(($(dmsetup info -c --noheadings -o events disk) > events)) || fail "no event"
	read_log
	matches "image: $why; it is read-only from now on" "$LOG" || fail "the log: $LOG"
	matches "$why; nothing is written from now on, and flushes fail" "$LOG" || fail "the log: $LOG"
	! put 60 2>/dev/null || fail "a write goes on"
	! flush 2>/dev/null || fail "a flush succeeds"
	if [ "$why" != 'an L1 entry breaks the format' ]; then
		cmp <(dd if=/dev/mapper/disk bs=$C count=4 iflag=direct status=none) <(head -c $((4 * C)) "$T/data") || fail "reading"
	fi
	detach disk
	want "the mark" "$mark" $(($(peek "$T/image" 72 8) & 2))
	((!mark)) || refused_rw 'marked corrupt' "0 8192 qcow2 rw 1 qcow2 $T/image"
	attach disk qcow2 "$T/image"
	detach disk
}

fill "$T/data" 0 1M
fill "$T/new" 0 64k 2
# which the place of a cluster is no multiple of
break_entry() { poke "$T/image" $((L2 + 8 * $1)) 8 $(($(peek "$T/image" $((L2 + 8 * $1)) 8) + 512)); }

make ''
break_entry 5
met 'an L2 entry breaks the format' 2 put 5
make ''
break_entry 5
met 'an L2 entry breaks the format' 2 forget 5
make ''
break_entry 5
met 'an L2 entry breaks the format' 2 fallocate -n -z -o $((5 * C)) -l $C /dev/mapper/disk

make ''
poke "$T/image" $((L2 + 8 * 5)) 8 $((L2 | 1 << 63))
met 'an L2 entry points at metadata' 2 put 5

make ''
poke "$T/image" "$L1" 8 $(($(peek "$T/image" "$L1" 8) + 512))
met 'an L1 entry breaks the format' 2 put 5

# The table's own cluster is the first that looks free.
make ''
poke "$T/image" $((BLOCK + 2 * (L2 / C))) 2 0
met 'a refcount says that metadata are free' 2 put 40

make ''
host=$(($(peek "$T/image" $((L2 + 8 * 5)) 8) & 0xfffffffffffe00))
poke "$T/image" $((BLOCK + 2 * (host / C))) 2 0
met 'a cluster in use has refcount 0' 2 forget_durably 5

# An image of version 2 has no bit for it.
make compat=0.10
before=$(head -c 104 "$T/image" | sha256sum)
break_entry 5
met 'an L2 entry breaks the format' 0 put 5
want header "$before" "$(head -c 104 "$T/image" | sha256sum)"

# One that was not closed is not written either.
make ''
poke "$T/image" 79 1 1
refused_rw 'was not closed properly and its refcounts may be wrong: repair it' "0 8192 qcow2 rw 1 qcow2 $T/image"
