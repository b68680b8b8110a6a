# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: while 128 writes wait for room, a flush, a read, a write in place, a discard and the end of a job do not wait behind them; the room that the discard frees lets the writes go on at once
# rule: PARKED-HOLDS-NOTHING
# needs: vm 6.12 (6.1 7.2) timeout 600

SOON=15 # seconds, a fifth of the time that writes wait

# tight MIB: what is left of the small file system
tight() {
	sync -f "$T/small"
	fallocate -l $(($(stat -fc '%a * %S' "$T/small") - ($1 << 20))) "$T/small/ballast"
}
# writers: 128 writes of 64 KiB at a time
writers() {
	fio --name=wait --filename=/dev/mapper/disk --direct=1 --rw=write --bs=64k --offset=32m --size=8m --ioengine=libaio \
		--iodepth=128 --minimal >"$T/fio" 2>&1 &
	fio=$!
	for _ in $(seq 300); do
		[ "$(status_of disk mode)" != out_of_space ] || break
		sleep 0.1
	done
	want "mode without room" out_of_space "$(status_of disk mode)"
	sleep 1
}
# soon WHAT COMMAND...: it succeeds in time.
soon() {
	local what=$1 start=$EPOCHREALTIME rc=0
	shift
	timeout $SOON "$@" || rc=$?
	echo "$what: $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms"
	((rc != 124)) || fail "$what waits behind writes that wait for room"
	want "status of $what" 0 $rc
}
# goes_on WHAT: the writes end well, soon.
goes_on() {
	local start=$EPOCHREALTIME
	while kill -0 $fio 2>/dev/null; do
		(((${EPOCHREALTIME/./} - ${start/./}) / 1000000 < SOON)) || fail "$1: writes do not go on with room"
		sleep 0.1
	done
	wait $fio || fail "$1: fio: $(cat "$T/fio")"
	want "mode with room" rw "$(status_of disk mode)"
}
# ends: the job is over.
ends() {
	while [ "$(status_of disk job_state)" != cancelled ]; do sleep 0.1; done
}

small_host

echo "-- a disk alone"
fill "$T/data" 0 10M
qemu-img create -q -f qcow2 "$T/small/image" 64M
attach_rw disk qcow2 "$T/small/image" -- nospace_timeout:$((5 * SOON))
dd if="$T/data" of=/dev/mapper/disk bs=64k oflag=direct conv=fsync status=none
tight 2
writers
soon "a flush" dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none
soon "a write in place" dd if="$T/data" of=/dev/mapper/disk bs=512 count=1 oflag=direct,dsync conv=notrunc status=none
soon "a read" dd if=/dev/mapper/disk of=/dev/null bs=64k skip=512 count=128 iflag=direct status=none
soon "a discard" blkdiscard -o 0 -l 9M /dev/mapper/disk
goes_on "after a discard"
cmp -n 1M <(tail -c 1M "$T/data") <(dd if=/dev/mapper/disk bs=1M skip=9 count=1 iflag=direct status=none) ||
	fail "what was not discarded has changed"
detach disk
qemu-img check -q "$T/small/image" || fail "qemu-img check"
rm "$T/small/ballast" "$T/small/image"

echo "-- a disk that is being merged"
truncate -s 64M "$T/small/base"
qemu-img create -q -f qcow2 -b "$T/small/base" -F raw "$T/small/top" 64M
attach_rw disk qcow2 "$T/small/top" raw "$T/small/base" -- nospace_timeout:$((5 * SOON))
dd if="$T/data" of=/dev/mapper/disk bs=64k count=32 oflag=direct conv=fsync status=none
dmsetup message disk 0 commit "$T/small/top" "$T/small/base" rate:1
for _ in $(seq 100); do
	(($(status_of disk job_moved) == 0)) || break
	sleep 0.1
done
tight 2
writers
dmsetup message disk 0 job cancel
export -f ends status_of fail
soon "a job's end" bash -c ends
soon "a flush after it" dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none
rm "$T/small/ballast"
goes_on "after a job"
cmp -n $((2 << 20)) "$T/data" /dev/mapper/disk || fail "data are lost"
detach disk
qemu-img check -q "$T/small/top" || fail "qemu-img check of the top"
umount "$T/small"
losetup -d "$loop"
