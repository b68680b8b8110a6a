# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a job that has to look through much before it finds something to do is suspended, cancelled and removed in the middle of that, and tells how far it is meanwhile: a commit of the top, one in the middle, a stream
# rule: STEP-IS-BOUNDED
# needs: vm 6.12 (6.1 7.2) timeout 120

job_done() { status_of disk job_done; }

# start MESSAGE...
start() {
	dmsetup message disk 0 "$@" || fail "$*: $(log_since_mark | tail -n 1)"
}

# under_way WHAT: nothing has been found yet, and not all has been looked at.
under_way() {
	local at
	at=$(job_done)
	echo "$1: $at of $TOTAL"
	((at < TOTAL)) || fail "$1: it waited until all had been looked through"
}

# bounded NAME MESSAGE...: the disk is attached, and the message starts a job with nothing to copy.
bounded() {
	local at last=0 steps=0 since took whole
	echo "-- $1"
	shift
	start "$@"
	TOTAL=$(status_of disk job_total)
	dmsetup suspend --nolockfs disk
	under_way suspended
	want "a suspended job" running "$(status_of disk job_state)"
	at=$(job_done)
	sleep 0.2
	want "what a suspended job has done" "$at" "$(job_done)"
	dmsetup resume disk

	# job_done moves in steps
	last=$at since=$EPOCHREALTIME
	while ((steps < 3)); do
		at=$(job_done)
		((at < TOTAL)) || fail "job_done goes from $last to $TOTAL in one step, after $steps"
		((at == last)) || steps=$((steps + 1))
		last=$at
	done
	took=$(((${EPOCHREALTIME/./} - ${since/./}) / 1000))

	dmsetup message disk 0 job cancel
	while [ "$(status_of disk job_state)" = running ]; do
		sleep 0.02
	done
	want "a job that is cancelled" cancelled "$(status_of disk job_state)"
	under_way cancelled

	# removed, in less time than all of it takes
	start "$@"
	whole=$((took * TOTAL / last))
	since=$EPOCHREALTIME
	dmsetup remove --retry disk
	took=$(((${EPOCHREALTIME/./} - ${since/./}) / 1000))
	echo "removed in $took ms, beside a job of $whole ms"
	((took < whole / 2)) || fail "removing took $took ms, and all of the job $whole"
	qemu-img check -q "$T/top"
}

# Each L2 table is a cluster of 512 bytes, and none says anything.
echo "-- making images"
qemu-img create -q -f qcow2 -o cluster_size=512 "$T/base" $((8000 * 32))k
"$BIN/fragments" "$T/top" 9 8000 0 0 "$T/base"
attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
bounded "commit of the top" commit "$T/top" "$T/base"

mv "$T/top" "$T/middle"
qemu-img create -q -f qcow2 -b "$T/middle" -F qcow2 "$T/top"
attach_rw disk qcow2 "$T/top" qcow2 "$T/middle" qcow2 "$T/base"
bounded "commit in the middle" commit "$T/middle" "$T/base" "$T/base" qcow2

# Every second cluster is zeroes in the top, and the base has nothing for the others.
rm "$T"/*
qemu-img create -q -f qcow2 "$T/base" $((128 * 512))M
"$BIN/fragments" "$T/top" 16 128 0 1 "$T/base"
attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
bounded "stream" stream "$T/top"
