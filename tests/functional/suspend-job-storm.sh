# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a device with a job on is suspended and resumed back to back, hundreds of times: each suspend returns, and the job does nothing until the resume; one that is cancelled meanwhile ends with the resume, one that is left alone ends well, and the device can be removed at any time
# rule: ONE-PHASE
# needs: vm 6.12 (6.1 7.2) timeout 180

RANDOM=${SEED:-1}
LIMIT=10

# A test that fails is not to leave a device that nobody can remove.
give_up() {
	dmsetup resume disk 2>/dev/null || true
	dmsetup message disk 0 job cancel 2>/dev/null || true
}
trap give_up EXIT

# The chain base middle top, with 2 MiB in each, as fragments that a job takes many steps for. None hides another one's.
qemu-img create -q -f qcow2 "$T/base" 16M
qemu-img create -q -f qcow2 -o cluster_size=4k -b base -F qcow2 "$T/middle"
qemu-img create -q -f qcow2 -o cluster_size=4k -b middle -F qcow2 "$T/top"
at=0
for layer in base middle top; do
	for ((i = 0; i < 128; i++)); do
		echo "write -q -P $((1 + i)) $((i * 128 + at))k 16k"
	done | qemu-io -f qcow2 "$T/$layer" >/dev/null
	at=$((at + 32))
done
for layer in base middle top; do
	cp "$T/$layer" "$T/$layer.0"
done

attach_chain() {
	local layer
	for layer in base middle top; do
		cp "$T/$layer.0" "$T/$layer"
	done
	attach_rw disk qcow2 "$T/top" qcow2 "$T/middle" qcow2 "$T/base"
}

# A message for the job, with a rate that lets it nap, or none.
start_job() {
	local rates=(rate:64 rate:1024 rate:0) messages=(
		"commit $T/top $T/middle" "commit $T/middle $T/base $T/base qcow2" "commit $T/top $T/base $T/base qcow2"
		"stream $T/top" "stream $T/middle" "stream $T/top $T/base $T/base qcow2"
	)
	JOB="${messages[$1 % 6]} ${rates[$((RANDOM % 3))]}"
	echo "-- $JOB, $2"
	# shellcheck disable=SC2086
	dmsetup message disk 0 $JOB || fail "$JOB: $(log_since_mark | tail -n 1)"
}

wait_end() {
	local state i
	for ((i = 0; i < 400; i++)); do
		state=$(status_of disk job_state)
		[ "$state" != running ] || { sleep 0.05; continue; }
		[[ $1 == *$state* ]] || fail "the job: $state, not $1"
		return
	done
	fail "the job does not end: $(dmsetup status disk)"
}

ended() {
	same_as disk "$T/model" >/dev/null
	want errors 0 "$(status_of disk errors)"
	detach disk
	qemu-img check -q "$T/top" 2>/dev/null || qemu-img check -q "$T/middle" || qemu-img check -q "$T/base" || fail "qemu-img check"
}

attach_chain
dd if=/dev/mapper/disk of="$T/model" bs=1M iflag=direct status=none
detach disk

for ((round = 0; round < 12; round++)); do
	attach_chain
	case $((round / 2 % 3)) in
	0)
		start_job $round "left alone in the end"
		"$BIN/flip" disk $((RANDOM + 1)) 100 $LIMIT
		dmsetup message disk 0 job rate 0 2>/dev/null || true
		wait_end "done"
		ended ;;
	1)
		start_job $round "cancelled while it is suspended"
		"$BIN/flip" disk $((RANDOM + 1)) 150 $LIMIT $((10 + RANDOM % 60))
		wait_end "done cancelled"
		ended ;;
	2)
		start_job $round "removed"
		"$BIN/flip" disk $((RANDOM + 1)) 100000 $LIMIT &
		flip=$!
		sleep 0.$((RANDOM % 5))
		((RANDOM % 2)) || dmsetup message disk 0 job cancel 2>/dev/null || true
		timeout $LIMIT dmsetup remove --retry disk || fail "the device cannot be removed"
		wait $flip || fail "flip" ;;
	esac
done
