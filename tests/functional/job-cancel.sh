# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a job is looked at, slowed down, waited for and cancelled, by command and by signal, within a second; what it leaves is a chain that shows the same, and starting again ends it; nothing else changes the chain meanwhile; each change of state is an event
# needs: vm 6.12 (6.1 7.2) timeout 600

job() { json_value "$1" "$(qcowctl job -J disk)"; }
no() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/said"
	want "status of $*" 1 $rc
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
}
# settled: the disk shows what it should, and the chain on disk is sound, or leaky while it is in use
settled() {
	local image rc
	same_as disk "$T/model"
	for image in $(chain_of disk); do
		rc=0
		qemu-img check -U "$T/$image" >"$T/out" || rc=$?
		((rc == 0 || rc == 3)) || fail "qemu-img check $image: $(tail -n 5 "$T/out")"
	done
}

for verb in commit stream; do
	rm -f "$T"/*
	qcowctl create "$T/base" 64M
	qemu-io -f qcow2 -c 'write -q -P 9 0 24M' "$T/base"
	qcowctl create -b base -F qcow2 "$T/top"
	qcowctl attach -n disk "$T/top"
	want "without a job" "disk: no job" "$(qcowctl job disk)"
	want "without a job" "null disk" "$(qcowctl job -J disk | jq -r '"\(.type) \(.device)"')"
	no 'no job is on' qcowctl job --cancel disk
	qcowctl job --wait disk
	# more than all that is cut below can copy, however slow the machine
	"$BIN/stamp" 1 $((24 << 20)) | dd of=/dev/mapper/disk bs=1M seek=20 iflag=fullblock oflag=direct status=none
	dd if=/dev/mapper/disk of="$T/model" bs=1M iflag=direct status=none

	# in the background, slowly
	events=$(dmsetup info -c --noheadings -o events disk)
	run qcowctl $verb -b --rate 128K disk
	want "job" "$verb running 131072 67108864" "$(job type) $(job state) $(job speed) $(job len)"
	run qcowctl list
	run qcowctl status disk
	run qcowctl job disk
	grep -qE "^disk: $verb, running: [0-9.]+ % of 64 MiB looked at, .* copied, at most 128 KiB/s\$" \
		<<<"$(qcowctl job disk)" || fail "the job is not told of"
	want "list" "$verb" "$(qcowctl list -n -o JOB | cut -d ' ' -f 1)"
	want "status" "$verb" "$(qcowctl status -J disk | jq -r .job.type)"
	grep -q "^  job  *$verb, running: " <<<"$(qcowctl status disk)" || fail "status does not tell of the job"
	for other in "snapshot disk $T/new" 'resize disk +1M' 'commit disk' 'stream disk' 'snapshot --internal create disk x'; do
		# shellcheck disable=SC2086
		no "a $verb job is on" qcowctl $other
	done
	[ ! -e "$T/new" ] || fail "an overlay is left"

	# cancelled
	start=$EPOCHREALTIME
	qcowctl job --cancel disk
	took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	echo "cancelled after $took ms"
	((took < 3000)) || fail "cancelling took $took ms"
	want "state" cancelled "$(job state)"
	want "chain" "base top" "$(chain_of disk)"
	[ "$(dmsetup info -c --noheadings -o events disk)" -gt "$events" ] || fail "no event"
	no 'no job is on' qcowctl job --cancel disk
	no 'was cancelled' qcowctl job --wait disk
	no 'no job is on' qcowctl job --rate 5M disk
	settled

	# by a signal, in the foreground
	rc=0
	qcowctl $verb --rate 128K disk >"$T/out" 2>"$T/said" &
	pid=$!
	until [ "$(job state)" = running ]; do sleep 0.1; done
	kill -TERM $pid
	wait $pid || rc=$?
	cat "$T/said"
	want "status after SIGTERM" 1 $rc
	grep -q "the $verb job was cancelled" "$T/said" || fail "it does not say so"
	want "state" cancelled "$(job state)"
	settled

	# it dies: the job does not
	qcowctl $verb --rate 128K disk &
	pid=$!
	until [ "$(job state)" = running ]; do sleep 0.1; done
	kill -KILL $pid
	wait $pid || true
	sleep 0.3
	want "state without the program" running "$(job state)"
	# somebody waits; it gets faster; it ends
	qcowctl job --wait disk &
	pid=$!
	qcowctl job --rate 0 disk
	wait $pid || fail "waiting"
	want "state" "done" "$(job state)"
	grep -qE "^disk: $verb, done: .* copied\$" <<<"$(qcowctl job disk)" || fail "the end is not told"
	want "list" "-" "$(qcowctl list -n -o JOB | xargs)"
	if [ $verb = commit ]; then want "chain" base "$(chain_of disk)"; else want "chain" top "$(chain_of disk)"; fi
	settled

	# detached while it is on
	qcowctl snapshot disk "$T/over"
	"$BIN/stamp" 2 $((20 << 20)) | dd of=/dev/mapper/disk bs=1M seek=4 iflag=fullblock oflag=direct status=none
	dd if=/dev/mapper/disk of="$T/model" bs=1M iflag=direct status=none
	qcowctl $verb -b --rate 128K disk
	qcowctl detach disk 2>"$T/said"
	cat "$T/said"
	grep -q "its $verb job ended with it" "$T/said" || fail "nothing is said of the job"
	qemu-img check "$T/over" || fail "qemu-img check"
	qemu-img compare -f qcow2 -F raw "$T/over" "$T/model" || fail "the chain shows something else"
	qcowctl attach -n disk "$T/over"
	qcowctl $verb --delete disk
	settled
	qcowctl detach disk
done
