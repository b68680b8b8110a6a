# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a job that cannot read what it copies, meets a broken table or a broken compressed cluster, cannot write its base in the middle of a chain, or cannot change the header at its end, fails: state, error, event and log say so, the chain is the same, guests are not concerned, and where it was mended it ends when it is started again
# needs: vm 6.12 (6.1 7.2) timeout 180

C=65536
events() { dmsetup info -c --noheadings -o events disk; }
# break_at SECTOR COUNT: neither read nor written
break_at() {
	local start=${good##* } sectors after=$(($1 + $2)) lines=''
	read -r _ sectors _ <<<"$good"
	(($1 == 0)) || lines="0 $1 linear $POOL $start"$'\n'
	set_lower <<<"$lines$1 $2 error"$'\n'"$after $((sectors - after)) linear $POOL $((start + after))"
}
mend() { set_lower <<<"$good"; }
# ends_with ERROR REGEX WORD...: the job of this message
ends_with() {
	local error=$1 regex=$2 before table verb=$3
	shift 2
	before=$(events)
	table=$(dmsetup table disk)
	log_mark "$verb"
	dmsetup message disk 0 "$@" || fail "$*: $(log_since_mark)"
	wait_job
	read_log
	grep '^dm-qcow2: ' <<<"$LOG" || fail "no sentence"
	want "the end" "failed $error" "$(status_of disk job_state) $(status_of disk job_error)"
	(($(events) >= before + 2)) || fail "no event for the end"
	matches "the $verb job failed: error $error; the chain is valid" "$LOG" || fail "the log: $LOG"
	[ -z "$regex" ] || matches "$regex" "$LOG" || fail "the log does not say '$regex': $LOG"
	want table "$table" "$(dmsetup table disk)"
	want mode rw "$(status_of disk mode)"
	dd if="$T/new" of=/dev/mapper/disk bs=$C count=1 seek=50 oflag=direct conv=notrunc status=none || fail "a guest's write"
	flush || fail "a guest's flush"
}
# ends_well WORD...
ends_well() {
	dmsetup message disk 0 "$@"
	wait_job
	want "the end" "done" "$(status_of disk job_state)"
	want errors 0 "$(status_of disk errors)"
}

fill "$T/data" 0 4M
fill "$T/new" 0 64k 2
cp "$T/data" "$T/model"
dd if="$T/new" of="$T/model" bs=$C count=1 seek=50 conv=notrunc status=none

echo "-- the base cannot be read"
pool lower $((4 << 20))
good=$(dmsetup table lower)
to_block "$T/data" /dev/mapper/lower
qemu-img create -q -f qcow2 -b /dev/mapper/lower -F raw "$T/top" 4M
attach_rw disk qcow2 "$T/top" raw /dev/mapper/lower
break_at 2048 128
ends_with 5 '' stream "$T/top"
mend
ends_well stream "$T/top"
same_as disk "$T/model"
detach disk
qemu-img compare -q -f qcow2 -F raw "$T/top" "$T/model" || fail "qemu-img compare"

echo "-- the base of layers in the middle cannot be written"
to_block "$T/data" /dev/mapper/lower
qemu-img create -q -f qcow2 -b /dev/mapper/lower -F raw "$T/l1" 4M
qemu-io -f qcow2 -c "write -q -s $T/data 0 1M" "$T/l1"
qemu-img create -q -f qcow2 -b "$T/l1" -F qcow2 "$T/top" 4M
attach_rw disk qcow2 "$T/top" qcow2 "$T/l1" raw /dev/mapper/lower
no_writes 8192
ends_with 5 '' commit "$T/l1" /dev/mapper/lower /dev/mapper/lower raw
mend
same_as disk "$T/model"
# A flush of that file has failed: nothing of it is trusted before it is opened again.
log_mark
! dmsetup message disk 0 commit "$T/l1" /dev/mapper/lower /dev/mapper/lower raw 2>/dev/null || fail "it is started again"
read_log
matches 'mapper/lower: a flush of it has failed; detach each device that uses it before it is written again' "$LOG" ||
	fail "the log: $LOG"
want mode rw "$(status_of disk mode)"
detach disk
attach_rw disk qcow2 "$T/top" qcow2 "$T/l1" raw /dev/mapper/lower
ends_well commit "$T/l1" /dev/mapper/lower /dev/mapper/lower raw
same_as disk "$T/model"
detach disk
detach lower
pool_reset

# entry CLUSTER: where its entry lies, in the first L2 table of the base
entry() { echo $((($(peek "$T/base" "$(peek "$T/base" 40 8)" 8) & 0xfffffffffffe00) + 8 * $1)); }
for what in entry stream; do
	echo "-- a broken $what in the base"
	if [ $what = entry ]; then
		qemu-img convert -f raw -O qcow2 "$T/data" "$T/base"
		at=$(entry 5)
		poke "$T/base" "$at" 8 $(($(peek "$T/base" "$at" 8) + 512))
	else
		qemu-img convert -c -f raw -O qcow2 "$T/data" "$T/base"
		at=$(($(peek "$T/base" "$(entry 5)" 8) & 0x3fffffffffffff))
		poke "$T/base" "$at" 8 -1 $((at + 8)) 8 -1
	fi
	qemu-img create -q -u -f qcow2 -b "$T/base" -F qcow2 "$T/top" 4M
	attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
	ends_with 117 '' stream "$T/top"
	dd if=/dev/mapper/disk of="$T/got" bs=$C count=5 iflag=direct status=none || fail "what lies before cannot be read"
	cmp "$T/got" <(head -c $((5 * C)) "$T/data") || fail "the disk shows something else"
	detach disk
done

echo "-- the header cannot be read when it is to be changed"
rm "$T/base"
qemu-img convert -f raw -O qcow2 "$T/data" "$T/base"
pool lower $((16 << 20))
good=$(dmsetup table lower)
qemu-img create -q -f qcow2 -b "$T/base" -F qcow2 /dev/mapper/lower 4M
attach_rw disk qcow2 /dev/mapper/lower qcow2 "$T/base"
break_at 0 128
ends_with 5 'mapper/lower: the first cluster cannot be read \(error 5\)' stream /dev/mapper/lower
mend
ends_well stream /dev/mapper/lower
want layers 1 "$(status_of disk layers)"
same_as disk "$T/model"
detach disk
qemu-img compare -q -f qcow2 -F raw /dev/mapper/lower "$T/model" || fail "qemu-img compare"
detach lower

echo "-- no room for the new name"
qemu-img create -q -f qcow2 -b "$T/base" -F qcow2 "$T/l1" 4M
qemu-img create -q -f qcow2 -o cluster_size=512 -b "$T/l1" -F qcow2 "$T/top" 4M
attach_rw disk qcow2 "$T/top" qcow2 "$T/l1" qcow2 "$T/base"
long=$(printf '/%.0s' $(seq 450))base
ends_with 28 'does not fit into the first cluster, which has 512 bytes \(error 28\)' commit "$T/l1" "$T/base" "$long" qcow2
ends_well commit "$T/l1" "$T/base" "$T/base" qcow2
same_as disk "$T/model"
detach disk
qemu-img compare -q -f qcow2 -F raw "$T/top" "$T/model" || fail "qemu-img compare"
