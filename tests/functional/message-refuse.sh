# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a message that cannot be served is refused with the errno that fits and one sentence in the log, and changes nothing: wrong words, no such layer, wrong order of layers, names, the wrong state of the device, a job that runs or does not, layers that others use, files that cannot be written
# needs: vm 6.12 (6.1 7.2) timeout 120

# A test that fails is not to leave a file that nobody can remove.
trap 'chattr -i "$T/base" 2>/dev/null || true' EXIT

# no ERRNO REGEX WORD...: the message of these words
no() {
	local errno=$1 regex=$2 said
	shift 2
	log_mark "message $*"
	if dmsetup message disk 0 "$@" 2>"$T/said"; then fail "taken: $*"; fi
	said=$(<"$T/said")
	[[ $said == *"$errno"* ]] || fail "not '$errno', but '$said': $*"
	said=$(grep '^dm-qcow2: ' <<<"$(log_since_mark)") || fail "no sentence: $*"
	want "sentences about $*" 1 "$(wc -l <<<"$said")"
	matches "$regex" "$said" || fail "'$said' does not match '$regex': $*"
	echo "${said#dm-qcow2: }"
}
bad() { no 'Invalid argument' "$@"; }

# The base is shorter than what lies on it.
qemu-img create -q -f qcow2 "$T/base" 1M
qemu-img create -q -f qcow2 -b base -F qcow2 "$T/l1" 4M
qemu-img create -q -f qcow2 -b l1 -F qcow2 "$T/top" 4M
fill "$T/data" 0 1M
qemu-io -f qcow2 -c "write -q -s $T/data 0 1M" "$T/top"
chain=(qcow2 "$T/top" qcow2 "$T/l1" qcow2 "$T/base")
top=$T/top l1=$T/l1 base=$T/base

echo "-- a device that is only read"
attach disk "${chain[@]}"
no 'Read-only' 'the device is read-only' job cancel
detach disk

echo "-- words"
attach_rw disk "${chain[@]}"
table=$(dmsetup table disk)
bad 'unknown message; there are commit, stream, job, snapshot and resize' hello
bad 'use commit <top> <base>' commit
bad 'use commit <top> <base>' commit "$top" "$l1" name
bad 'rate takes KiB a second, not "x"' commit "$top" "$l1" rate:x
bad 'two hex digits come after %' commit "$T/%zz" "$base"
bad 'nothing: is no layer of this device' commit "$top" "$T/nothing"
bad 'use stream <into>' stream
bad 'use stream <into>' stream "$top" "$l1"
bad 'nothing: is no layer of this device' stream "$T/nothing"
bad 'use job cancel, or job rate <KiB>' job
bad 'use job cancel, or job rate <KiB>' job rate x
bad 'use snapshot create <tag>' snapshot
bad 'use snapshot create <tag>' snapshot create tag 1
bad 'use snapshot create <tag>' snapshot create tag 1 1000000000
bad 'use resize <sectors>' resize
bad 'use resize <sectors>' resize 1M

echo "-- layers and names"
bad 'the base must lie below the top' commit "$base" "$base"
bad 'the base must lie below the top' commit "$l1" "$top"
bad "the name of the overlay's new backing file is missing" commit "$l1" "$base"
bad 'no overlay is to get another backing file' commit "$top" "$l1" base qcow2
bad 'there is no layer to be pulled up' stream "$base"
bad 'there is no layer to be pulled up' stream "$top" "$l1" l1 qcow2
bad 'guests read what is copied only in the top layer' stream "$l1" copy_on_read

echo "-- states"
no 'No such file' 'no job is running' job cancel
no 'No such file' 'no job is running' job rate 5
no 'temporarily unavailable' 'the device must be suspended for this' snapshot create tag 1 2
no 'temporarily unavailable' 'the device must be suspended for this' resize 16384
no 'temporarily unavailable' 'the base has to grow, for which the device must be suspended' commit "$l1" "$base" base qcow2
dmsetup suspend disk
bad 'a device in use can only grow' resize 1024
no 'No such file' "there is no snapshot with the id or name 'nothing'" snapshot apply nothing
no 'No such file' "there is no snapshot with the id or name 'nothing'" snapshot delete nothing
dmsetup message disk 0 snapshot create tag 1 2
no 'File exists' 'there is a snapshot of that name \(id 1\)' snapshot create tag 3 4
dmsetup resume disk
no 'resource busy' 'has internal snapshots, which show what is below it' commit "$top" "$l1"
dmsetup suspend disk
dmsetup message disk 0 snapshot delete tag
dmsetup resume disk

echo "-- what others use"
dmsetup load disk --table "$table"
no 'resource busy' 'a table is loaded and not live yet' commit "$top" "$l1"
dmsetup clear disk
attach other qcow2 "$base"
no 'resource busy' 'base: is in use by another attached device' commit "$l1" "$base" base qcow2
detach other

# A program that reads it keeps writers out.
inode=$(stat -c %i "$base")
held=$(grep -c "OFDLCK.*:$inode " /proc/locks)
mkfifo "$T/pipe"
qemu-io -r -f qcow2 "$base" <"$T/pipe" >/dev/null 2>&1 &
keeper=$!
exec 6>"$T/pipe"
for _ in $(seq 100); do
	(($(grep -c "OFDLCK.*:$inode " /proc/locks) == held)) || break
	sleep 0.1
done
no 'temporarily unavailable' 'base: another program has it open; close it there first' commit "$l1" "$base" base qcow2
exec 6>&-
wait $keeper || true

echo "-- a file that cannot be written, and one that is not the same any more"
# Not open for writing, as it was found to be above.
detach disk
attach_rw disk "${chain[@]}"
chattr +i "$base"
no 'not permitted' 'base: cannot be opened for writing \(error 1\)' commit "$l1" "$base" base qcow2
chattr -i "$base"
mv "$base" "$base.old"
cp "$base.old" "$base"
no 'Stale file handle' 'base: is another file by now' commit "$l1" "$base" base qcow2
mv "$base.old" "$base"

echo "-- a job runs"
# While the device is suspended it gets nowhere.
dmsetup suspend disk
dmsetup message disk 0 commit "$top" "$l1"
no 'resource busy' 'a job is running; cancel it, or wait' commit "$top" "$l1"
no 'resource busy' 'a job is running; cancel it, or wait' stream "$top"
no 'resource busy' 'a job is running; cancel it, or wait' snapshot create tag 1 2
no 'resource busy' 'a job is running; cancel it, or wait' resize 16384
dmsetup message disk 0 job cancel
dmsetup resume disk
for _ in $(seq 100); do
	[ "$(status_of disk job_state)" = running ] || break
	sleep 0.1
done
want "the job" cancelled "$(status_of disk job_state)"

want table "$table" "$(dmsetup table disk)"
want mode rw "$(status_of disk mode)"
cmp -n $((1 << 20)) "$T/data" /dev/mapper/disk || fail "the disk shows something else"
detach disk
for image in "$top" "$l1" "$base"; do
	qemu-img check -q "$image" || fail "qemu-img check $image"
done

echo "-- a raw image"
truncate -s 1M "$T/raw"
attach_rw disk raw "$T/raw"
dmsetup suspend disk
no 'not supported' 'a raw image cannot do this' snapshot create tag 1 2
no 'not supported' 'a raw image cannot do this' resize 4096
dmsetup resume disk
detach disk
