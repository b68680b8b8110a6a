# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: two and twelve senders of messages at once, while jobs begin and end and the device is suspended and resumed: each gets an answer, none starts on layers that have left the chain, the disk shows the same and its images are clean; a resume lets nothing through before a snapshot or a resize that was begun has ended
# rule: ONE-MESSAGE
# needs: vm 6.12 (6.1 7.2) timeout 240

RANDOM=${SEED:-1}

# A test that fails is not to leave a device that nobody can remove.
give_up() {
	dmesg -n 5
	dmsetup resume lower 2>/dev/null || true
	dmsetup resume disk 2>/dev/null || true
	dmsetup message disk 0 job cancel 2>/dev/null || true
}
trap give_up EXIT
# What is refused is told in the log, hundreds of times; the console of a VM is slow.
dmesg -n 2

# The chain 0 to 8, with little in each: jobs shall end, and many of them.
LAYERS=8
qemu-img create -q -f qcow2 "$T/0" 4M
for ((i = 1; i <= LAYERS; i++)); do
	qemu-img create -q -f qcow2 -b "$T/$((i - 1))" -F qcow2 "$T/$i" 4M
	((i % 3)) || qemu-io -f qcow2 -c "write -q -P $i $((i * 32))k 192k" "$T/$i"
	chain=(qcow2 "$T/$i" "${chain[@]}")
done
chain+=(qcow2 "$T/0")
qemu-img convert -f qcow2 -O raw "$T/$LAYERS" "$T/model"
mkdir "$T/first"
cp "$T"/[0-8] "$T/first"

# Each merges a layer into its neighbour.
for ((i = 1; i < LAYERS; i++)); do
	down+=("commit $T/$i $T/$((i - 1)) $T/$((i - 1)) qcow2")
done
mixed=(
	"${down[@]}" "commit $T/8 $T/7" "commit $T/8 $T/3 $T/3 qcow2" "stream $T/8 $T/5 $T/5 qcow2" "stream $T/7 $T/2 $T/2 qcow2"
	"stream $T/4 rate:64" 'job cancel' 'job cancel' 'job rate 0' 'job rate #' flip flip flip 'snapshot create s# 1 2'
	'snapshot delete s#' 'resize 8192' 'resize 82#2'
)

# storm SENDERS COUNT MESSAGE...
storm() {
	local senders i state
	cp "$T"/first/* "$T"
	attach_rw disk "${chain[@]}"
	: >"$T/said"
	log_mark storm
	{ "$BIN/messages" disk "$1" $((RANDOM + 1)) "$2" 15 "${@:3}" 2>&1 || echo failed; } >"$T/said" &
	senders=$!
	# Who meets an oops never ends, and is not waited for.
	until [[ $(<"$T/said") == *[a-z]* ]]; do
		sleep 0.1
	done
	if [[ $(<"$T/said") != taken* ]]; then
		log_since_mark | tail -n 60
		fail "$(<"$T/said")"
	fi
	wait $senders
	echo "$1 senders: $(<"$T/said")"
	dmsetup resume disk
	dmsetup message disk 0 job rate 0 2>/dev/null || true
	for ((i = 0; i < 200; i++)); do
		state=$(dmsetup status disk)
		[[ $state == *job_state=running* || $state == *job_state=paused* ]] || break
		sleep 0.05
	done
	[[ $state != *job_state=running* && $state != *job_state=failed* ]] || fail "the last job: $state"
	same_as disk "$T/model" >/dev/null
	[[ $state == *mode=rw* && $state == *errors=0* ]] || fail "$state"
	state=$(dmsetup table disk)
	detach disk
	read -r _ _ _ _ _ _ state _ <<<"$state"
	qemu-img check -q "$state" || fail "qemu-img check $state"
	qemu-img convert -f qcow2 -O raw "$state" "$T/now"
	cmp -n $((4 << 20)) "$T/model" "$T/now" || fail "qemu-img reads something else"
}

# resumed MESSAGE...: to a device that is suspended, and cannot be served before the device below is resumed
resumed() {
	local message reader resume
	echo "-- a resume during $*"
	pool lower $((16 << 20))
	qemu-img create -q -f qcow2 /dev/mapper/lower 4M
	qemu-io -f qcow2 -c 'write -q -P 7 0 1M' /dev/mapper/lower
	attach_rw disk qcow2 /dev/mapper/lower
	dd if=/dev/mapper/disk of="$T/got" bs=4M count=1 iflag=direct status=none
	# written once more, for the disk has to be worth a change
	dd if="$T/got" of=/dev/mapper/disk bs=64k count=4 seek=40 oflag=direct conv=fsync,notrunc status=none
	dmsetup suspend --nolockfs disk
	dmsetup suspend --nolockfs --noflush lower
	dmsetup message disk 0 "$@" &
	message=$!
	# of what is nowhere: nothing below is asked for it
	dd if=/dev/mapper/disk of="$T/got" bs=64k skip=63 count=1 iflag=direct status=none &
	reader=$!
	sleep 0.5
	kill -0 $message 2>/dev/null || fail "$* asks nothing of the device below"
	dmsetup resume disk &
	resume=$!
	sleep 1
	kill -0 $message 2>/dev/null || fail "$* asks nothing of the device below"
	kill -0 $reader 2>/dev/null || fail "a guest reads while $* is under way"
	kill -0 $resume 2>/dev/null || fail "the device is resumed while $* is under way"
	dmsetup resume lower
	wait $message || fail "$*: $(log_since_mark | tail -n 1)"
	wait $resume || fail "resume"
	wait $reader || fail "the read failed"
	cmp -n 65536 /dev/zero "$T/got" || fail "the guest read something else"
	detach disk
	qemu-img check -q /dev/mapper/lower || fail "qemu-img check"
	detach lower
	pool_reset
}

# more of them: --rounds
many=$((${ROUNDS:-18} * 2 / 3))
storm 12 $many "${down[@]}"
storm 2 $((many * 3)) "${mixed[@]}"
storm 12 $many "${mixed[@]}"
resumed snapshot create tag 1 2
resumed resize 8208
