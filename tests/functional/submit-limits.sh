# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: what the task that submits may not do does not matter to the image below: writes, write-back, suspend, messages and removal succeed with a limit on the size of files, in the middle of being killed, and in a memory cgroup that is full; nobody's data are lost
# needs: vm 6.12 (6.1 7.2) timeout 600

# limited BLOCKS COMMAND...: with RLIMIT_FSIZE of so many KiB. What it says goes to a pipe, which has no such limit.
limited() {
	local said rc=0
	said=$( (ulimit -f "$1" && shift && exec "$@") 2>&1) || rc=$?
	[ -z "$said" ] || echo "$said"
	return $rc
}

# dirty SEED: new bytes over the file on the device, in place, in the page cache alone
dirty() {
	"$BIN/stamp" "$1" $((2 << 20)) >"$T/data"
	dd if="$T/data" of="$T/mnt/file" bs=1M conv=notrunc status=none
}

# there WHAT: the file's owner is told that all is well, and it is.
there() {
	sync -d "$T/mnt/file" || fail "$1: the owner's fdatasync fails"
	echo 3 >/proc/sys/vm/drop_caches
	cmp "$T/data" "$T/mnt/file" || fail "$1: data are lost"
}

mkdir "$T/mnt"
chmod 755 "$T"
fill "$T/new" 0 2M 7
for fs in ext4 xfs btrfs; do
	echo "-- an image on $fs"
	image=$SCRATCH/$fs/image
	qemu-img create -q -f qcow2 "$image" 64M
	attach_rw disk qcow2 "$image"

	# direct: new clusters, and in place
	for n in 1 2; do
		limited 1 dd if="$T/new" of=/dev/mapper/disk bs=64k seek=100 count=16 oflag=direct conv=notrunc status=none ||
			fail "a direct write with RLIMIT_FSIZE, $n: status $?"
	done
	limited 0 fallocate -n -z -o $((128 << 16)) -l 1000k /dev/mapper/disk || fail "zeroes with RLIMIT_FSIZE: status $?"
	limited 0 blkdiscard -o $((112 << 16)) -l 256k /dev/mapper/disk || fail "a discard with RLIMIT_FSIZE: status $?"
	limited 0 dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none || fail "a flush with RLIMIT_FSIZE: status $?"
	cmp -n $((12 << 16)) "$T/new" <(dd if=/dev/mapper/disk bs=64k skip=100 count=12 iflag=direct status=none) ||
		fail "the direct write is not there"

	# another one's write-back
	mkfs.ext4 -q /dev/mapper/disk
	mount /dev/mapper/disk "$T/mnt"
	chmod 755 "$T/mnt"
	dirty 1
	sync -f "$T/mnt"
	dirty 2
	limited 0 setpriv --reuid 65534 --regid 65534 --clear-groups sync -d "$T/mnt/file" ||
		fail "fdatasync of another user with RLIMIT_FSIZE: status $?"
	there "another user's fdatasync"

	# one that is killed in the middle of it
	"$BIN/killed" "$T/mnt/file" || fail "one that is killed in its fdatasync"

	# suspend, message, removal
	dirty 6
	limited 0 dmsetup suspend disk || fail "suspend with RLIMIT_FSIZE: status $?"
	limited 0 dmsetup message disk 0 snapshot create tag 1 2 || fail "message with RLIMIT_FSIZE: status $?"
	limited 0 dmsetup resume disk || fail "resume with RLIMIT_FSIZE: status $?"
	there suspend
	umount "$T/mnt"
	limited 0 dd if="$T/new" of=/dev/mapper/disk bs=64k seek=512 count=16 oflag=direct conv=notrunc status=none ||
		fail "writes after a snapshot, with RLIMIT_FSIZE: status $?"
	limited 0 dmsetup remove disk || fail "removal with RLIMIT_FSIZE: status $?"
	qemu-img check -q "$image" || fail "qemu-img check"
	[[ $(qemu-img snapshot -l "$image") == *tag* ]] || fail "the snapshot is not there"
	qemu-img convert -f qcow2 -O raw "$image" "$T/raw"
	cmp -n $((16 << 16)) "$T/new" <(tail -c +$(((512 << 16) + 1)) "$T/raw") || fail "the write before the removal is not there"
	rm "$T/raw" "$image"
done

# A memory cgroup at its limit: what the image's file system needs is not the writer's to pay for.
mkdir "$T/cgroup"
mount -t cgroup2 none "$T/cgroup"
echo +memory >"$T/cgroup/cgroup.subtree_control" 2>/dev/null || true
mkdir "$T/cgroup/full"
if [ -e "$T/cgroup/full/memory.max" ]; then
	qemu-img create -q -f qcow2 "$T/image" 64M
	attach_rw disk qcow2 "$T/image"
	echo 6M >"$T/cgroup/full/memory.max"
	(
		echo $BASHPID >"$T/cgroup/full/cgroup.procs"
		exec dd if="$T/new" of=/dev/mapper/disk bs=64k oflag=direct conv=fsync status=none
	) || fail "a write from a full memory cgroup: status $?"
	cmp -n $((2 << 20)) "$T/new" /dev/mapper/disk || fail "the write from a full memory cgroup is not there"
	detach disk
fi
for _ in $(seq 50); do
	! rmdir "$T/cgroup/full" 2>/dev/null || break
	sleep 0.1
done
umount "$T/cgroup"
