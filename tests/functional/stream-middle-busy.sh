# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: while a job runs, no table is taken that uses a layer which the job writes or whose header it is to change: what a stream fills, in the middle too, the base of a commit, the overlay that gets another backing file; nor does a job start on what a loaded table uses. When the job has ended the same table is taken, and what it writes is nobody else's
# rule: BUSY-FIRST
# needs: vm 6.12 (6.1 7.2) timeout 120

SECTORS=$((8 << 11))
# line TOP [BELOW]...: a table that writes to TOP
line() {
	local layer words=()
	for layer; do
		words+=(qcow2 "$T/$layer")
	done
	echo "0 $SECTORS qcow2 rw $# ${words[*]}"
}

# busy TOP [BELOW]...: that table is refused because of the job.
busy() {
	log_mark busy
	if dmsetup load disk --table "$(line "$@")" 2>"$T/said"; then
		dmsetup clear disk
		fail "beside $(status_of disk job) a table of $* is taken"
	fi
	grep -q 'resource busy' "$T/said" || fail "table of $*: $(<"$T/said")"
	grep -q 'a job is changing the chain' <<<"$(log_since_mark)" || fail "table of $*: $(log_since_mark)"
	want "the job" running "$(status_of disk job_state)"
}

# begin: the chain base l1 l2 top, where l1 has no more than a little of what base has
begin() {
	rm -f "$T"/*
	qcowctl create "$T/base" 8M
	qcowctl create -b base -F qcow2 "$T/l1"
	qcowctl create -b l1 -F qcow2 "$T/l2"
	qcowctl create -b l2 -F qcow2 "$T/top"
	qcowctl create -b l1 -F qcow2 "$T/more"
	qcowctl create -b base -F qcow2 "$T/other"
	qemu-io -f qcow2 -c 'write -q -P 1 0 6M' "$T/base"
	qemu-io -f qcow2 -c 'write -q -P 2 0 2M' "$T/l1"
	qemu-io -f qcow2 -c 'write -q -P 3 1M 2M' "$T/l2"
	qcowctl attach -n disk "$T/top"
}

job_ended() {
	want "the job" cancelled "$(status_of disk job_state)"
}

# taken TOP [BELOW]...: the table is taken now, the disk is written through it, and its top is locked.
taken() {
	local layer
	dmsetup load disk --table "$(line "$@")" || fail "after the job a table of $*: $(log_since_mark | tail -n 2)"
	dmsetup suspend disk
	dmsetup resume disk
	want "table" "$(line "$@")" "$(dmsetup table disk)"
	# a place that the map knows, if it knows any
	dd if=/dev/mapper/disk of="$T/before" bs=64k count=128 iflag=direct status=none
	"$BIN/stamp" 9 65536 >"$T/new"
	dd if="$T/new" of=/dev/mapper/disk bs=64k seek=70 oflag=direct conv=fsync status=none
	dd if=/dev/mapper/disk of="$T/after" bs=64k skip=70 count=1 iflag=direct status=none
	cmp "$T/new" "$T/after" || fail "a stale read from $1"
	! qemu-io -f qcow2 -c 'write -q 0 512' "$T/$1" 2>/dev/null || fail "$1 is written, and not locked"
	! qcowctl attach -r -n second "$T/$1" 2>/dev/null || fail "$1 is written, and another device reads it"
	want mode rw "$(status_of disk mode)"
	detach disk
	dd if="$T/new" of="$T/before" bs=64k seek=70 conv=notrunc status=none
	qemu-img compare -f qcow2 -F raw "$T/$1" "$T/before" || fail "qemu-img compare"
	for layer; do
		qemu-img check -q "$T/$layer" || fail "qemu-img check $layer"
	done
}

# alone TOP [BELOW]...: nobody holds any of them any more.
alone() {
	dmsetup create disk --table "$(line "$@")" || fail "$1 is still held: $(log_since_mark | tail -n 2)"
	detach disk
}

echo "-- what a stream into a layer in the middle fills"
begin
qcowctl stream --into 1 -b --rate 8K disk
busy l1 base
busy more l1 base
busy l2 l1 base
run qcowctl job --cancel disk
job_ended
taken more l1 base
alone l1 base

echo "-- the same, when the job has ended well"
qcowctl create -b l1 -F qcow2 "$T/new"
qcowctl attach -n disk "$T/new"
qcowctl stream --into 1 disk
taken more l1
alone l1

echo "-- the base of a commit in the middle, and the overlay above it"
begin
qcowctl commit --top 1 --base 0 -b --rate 8K disk
busy base
busy other base
busy l2 l1 base
run qcowctl job --cancel disk
job_ended
taken other base
alone l2 l1 base

echo "-- the base of a commit of the top"
begin
qcowctl commit --base 1 -b --rate 8K disk
busy l1 base
busy more l1 base
run qcowctl job --cancel disk
job_ended
taken more l1 base
alone l2 l1 base

echo "-- a table that was loaded first"
begin
dmsetup load disk --table "$(line more l1 base)" || fail "without a job a table of more is not taken"
log_mark first
! dmsetup message disk 0 stream "$T/l1" 2>/dev/null || fail "a job fills a layer of a table that is loaded"
! dmsetup message disk 0 commit "$T/l1" "$T/base" base qcow2 2>/dev/null || fail "a job merges the layers of a table that is loaded"
log_since_mark
want job none "$(status_of disk job)"
dmsetup clear disk
qcowctl stream --into 1 disk
detach disk
