# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: while the top is merged, two writes meet in one subcluster that it lacks, in a cluster of which it has a part, and one of them is held by the device below: none is lost, neither by the end of the job nor by a detach before
# rule: ONE-OWNER
# needs: vm 6.12 (6.1 7.2)

K=1024
SIZE=$((12 << 20))
CLUSTER=$((2 << 20)) # no cluster is larger
fill "$T/raw" 0 $SIZE 1
fill "$T/new" 0 $SIZE 2

# put FILE OFFSET LENGTH [FLAGS]: the bytes of "new" from OFFSET on
put() {
	dd if="$T/new" of="$1" bs="$3" count=1 skip="$2" seek="$2" iflag=skip_bytes oflag="seek_bytes,direct${4:-}" \
		conv=notrunc status=none
}

# wait_job STATE: the job gets there.
wait_job() {
	for _ in $(seq 300); do
		[ "$(status_of disk job_state)" != "$1" ] || return 0
		sleep 0.1
	done
	fail "the job is $(status_of disk job_state), not $1"
}

# meet FIRST SECOND LENGTH: a durable write at FIRST is held by the device of the top; one at SECOND is asked for meanwhile.
meet() {
	local before one two
	echo "durable at $1, plain at $2, $3 bytes"
	before=$(status_of disk allocating)
	dmsetup suspend --noflush --nolockfs lower
	put /dev/mapper/disk "$1" "$3" ,dsync &
	one=$!
	while (($(status_of disk allocating) == before)); do
		sleep 0.02
	done
	sleep 0.2
	put /dev/mapper/disk "$2" "$3" &
	two=$!
	sleep 0.4
	dmsetup resume lower
	wait $one || fail "the durable write at $1"
	wait $two || fail "the plain write at $2"
	put "$T/model" "$1" "$3"
	put "$T/model" "$2" "$3"
	cmp <(dd if=/dev/mapper/disk bs=64k count=1 skip=$(($1 / 65536)) iflag=direct status=none) \
		<(dd if="$T/model" bs=64k count=1 skip=$(($1 / 65536)) status=none) || fail "a write that was acknowledged is not there"
}

# round TOP-OPTIONS BLOCK BASE-FORMAT BASE-OPTIONS END: writes of BLOCK bytes; END: what comes after them
round() {
	local cluster
	echo "-- $*"
	cp "$T/raw" "$T/model"
	qemu-img convert -f raw -O "$3" ${4:+-o "$4"} "$T/raw" "$T/base"
	pool lower $((32 << 20))
	qemu-img create -q -f qcow2 -o "$1" -b "$T/base" -F "$3" /dev/mapper/lower $SIZE
	attach_rw disk qcow2 /dev/mapper/lower "$3" "$T/base"
	# A part of each cluster, and so much in the first one that the job is busy with it for minutes.
	put /dev/mapper/disk 0 $((256 * K))
	put "$T/model" 0 $((256 * K))
	for ((cluster = CLUSTER; cluster < SIZE; cluster += CLUSTER)); do
		put /dev/mapper/disk $cluster "$2"
		put "$T/model" $cluster "$2"
	done
	dmsetup message disk 0 commit /dev/mapper/lower "$T/base" rate:1
	for _ in $(seq 100); do
		(($(status_of disk job_moved) == 0)) || break
		sleep 0.1
	done
	(($(status_of disk job_moved))) || fail "the job does not begin"
	# The map knows all, so that a write in place needs nobody.
	dd if=/dev/mapper/disk of=/dev/null bs=1M iflag=direct status=none
	# The size of a subcluster is that of 8 or 16 blocks.
	meet $((3 * CLUSTER + 64 * K)) $((3 * CLUSTER + 64 * K + $2)) "$2"
	meet $((4 * CLUSTER + 64 * K + 7 * $2)) $((4 * CLUSTER + 64 * K)) "$2"
	want "the job" running "$(status_of disk job_state)"
	if [ "$5" = end ]; then
		dmsetup message disk 0 job rate 0
		wait_job "done"
		same_as disk "$T/model"
		detach disk
		qemu-img compare -f "$3" -F raw "$T/base" "$T/model" || fail "the base holds something else"
	else
		same_as disk "$T/model"
		detach disk
		qemu-img check -q /dev/mapper/lower || fail "qemu-img check"
		qemu-img compare -f qcow2 -F raw /dev/mapper/lower "$T/model" || fail "the chain shows something else"
	fi
	detach lower
	pool_reset
	rm "$T/base"
}

# Subclusters of 64 and of 4 KiB, which qcowctl makes if it is not told.
round extended_l2=on,cluster_size=2M 4096 raw '' end
round extended_l2=on,cluster_size=2M 4096 qcow2 '' detach
round extended_l2=on,cluster_size=128k 512 raw '' detach
round extended_l2=on,cluster_size=128k 512 qcow2 cluster_size=2M end
