# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: group snapshots freeze all file systems before a device is suspended, at once: a journal on another device of the group does no harm; the pause is that of the slowest; one that cannot be frozen in time undoes all; what lies on a partition or is mounted elsewhere is frozen, too
# needs: vm 6.1 (6.12 7.2) timeout 300

modprobe -a dm-delay
mnt=$T/mnt
mkdir "$mnt" "$mnt-2"

# attached NAME SIZE [FILE]
attached() {
	qcowctl create "${3:-$T/$1.qcow2}" "$2"
	qcowctl attach -n "$1" "${3:-$T/$1.qcow2}"
}
# ended PID SECONDS: wait for it, sets RC. One that hangs must be woken, or nothing can be cleared away.
ended() {
	local i
	for ((i = 0; i < $2 * 10; i++)); do
		[[ -d /proc/$1 && $(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null) != Z ]] || break
		sleep 0.1
	done
	if ((i == $2 * 10)); then
		echo "hangs: $(cat "/proc/$1/stack")"
		for name in a b; do dmsetup resume $name; done
		wait "$1" || true
		fail "no end after $2 s"
	fi
	RC=0
	wait "$1" || RC=$?
}
# active NAME...: not suspended, no second table
active() {
	local name
	for name; do
		want "state of $name" L--w "$(dmsetup info -c --noheadings -o attr "$name")"
	done
}
# thawed DIRECTORY...: can be written
thawed() {
	local dir
	for dir; do
		timeout 20 sh -c "echo x >'$dir/thawed' && sync '$dir/thawed'" || fail "$dir is frozen"
	done
}
# clean FILE [START-SECTOR]: the file system in the snapshot needs no recovery
clean() {
	qemu-img convert -U -f qcow2 -O raw "$1" "$T/raw"
	[ -z "${2:-}" ] || dd if="$T/raw" of="$T/part" bs=512 skip="$2" status=none
	[ -z "${2:-}" ] || mv "$T/part" "$T/raw"
	[[ $(dumpe2fs -h "$T/raw" 2>/dev/null) != *needs_recovery* ]] || fail "the file system in $1 was not frozen"
}

# -- the journal of b's file system is on a, and it is mounted where we do not see it
attached a 16M
attached b 32M
mkfs.ext4 -q -b 4096 -O journal_dev /dev/mapper/a
mkfs.ext4 -q -b 4096 -J device=/dev/mapper/a /dev/mapper/b
unshare -m sh -c "mount --make-rprivate / && mount /dev/mapper/b '$mnt' && touch '$T/mounted' && exec sleep 1000" &
ns=$!
until [ -e "$T/mounted" ]; do sleep 0.1; done
there=/proc/$ns/root$mnt
dd if=/dev/zero of="$there/file" bs=1M count=4 status=none
qcowctl snapshot a "$T/a1" b "$T/b1" &
ended $! 30
want "status" 0 $RC
active a b
thawed "$there"
clean "$T/b.qcow2"
kill $ns
wait $ns || true
qcowctl detach a b
find "$T" -maxdepth 1 -type f -delete

# -- b cannot be frozen, for its journal is on what does not answer; a was frozen by then
attached a 16M
attached b 32M
pool journal $((16 << 20))
mkfs.ext4 -q /dev/mapper/a
mkfs.ext4 -q -b 4096 -O journal_dev /dev/mapper/journal
# nothing may write later by itself: then syncing, which waits as long as it takes, would wait for the journal
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0 -J device=/dev/mapper/journal /dev/mapper/b
mount /dev/mapper/a "$mnt"
mount -o noatime /dev/mapper/b "$mnt-2"
echo something >"$mnt-2/file"
sync
dmsetup suspend --nolockfs journal
qcowctl snapshot --timeout 2 a "$T/a1" b "$T/b1" >"$T/out" 2>"$T/said" &
ended $! 30
cat "$T/out" "$T/said"
want "status" 1 $RC
want "what it says" "qcowctl: b: freezing the file system on $mnt-2 took longer than 2 s; nothing has changed" "$(<"$T/said")"
[[ ! -e $T/a1 && ! -e $T/b1 ]] || fail "overlays are left"
active a b
thawed "$mnt"
dmsetup resume journal
thawed "$mnt" "$mnt-2"
qcowctl snapshot a "$T/a1" b "$T/b1"
clean "$T/a.qcow2"
clean "$T/b.qcow2"

# -- a signal ends the wait
echo something else >"$mnt-2/file"
sync
dmsetup suspend --nolockfs journal
qcowctl snapshot --timeout 3000 a "$T/a2" b "$T/b2" >"$T/out" 2>"$T/said" &
pid=$!
for ((i = 0; i < 10; i++)); do
	echo x >"$mnt/frozen" &
	writer=$!
	sleep 0.3
	! kill -0 $writer 2>/dev/null || break
done
# it waits: for the freezing, or for what is written before
kill -TERM $pid
ended $pid 30
cat "$T/out" "$T/said"
((RC)) || fail "the signal was lost"
active a b
thawed "$mnt"
wait "$writer"
dmsetup resume journal
thawed "$mnt-2"
[[ ! -e $T/a2 && ! -e $T/b2 ]] || fail "overlays are left"
umount "$mnt" "$mnt-2"
detach journal
qcowctl detach a b
find "$T" -maxdepth 1 -type f -delete

# -- how long it takes: every write to what is below waits a moment
ms=300
for name in a b; do
	pool below-$name $((64 << 20))
	dmsetup create slow-$name --table "0 131072 delay /dev/mapper/below-$name 0 0 /dev/mapper/below-$name 0 0"
	attached $name 48M /dev/mapper/slow-$name
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/$name
done
mount /dev/mapper/a "$mnt"
mount /dev/mapper/b "$mnt-2"
for name in a b; do
	dmsetup reload slow-$name --table "0 131072 delay /dev/mapper/below-$name 0 0 /dev/mapper/below-$name 0 $ms"
	dmsetup suspend --nolockfs slow-$name
	dmsetup resume slow-$name
done
paused() { sed -n "s/^$1: writes to .* paused for \([0-9]*\)\..*/\1/p" "$T/out"; }
sync
echo x >"$mnt/file"
sync
qcowctl snapshot a "$T/a1" >"$T/out"
alone=$(paused a)
qcowctl commit a
for dir in "$mnt" "$mnt-2"; do
	dd if=/dev/zero of="$dir/file" bs=64k count=64 status=none
done
qcowctl snapshot a "$T/a2" b "$T/b2" >"$T/out"
cat "$T/out"
echo "alone $alone, both $(paused a) $(paused b)"
((alone > ms)) || fail "nothing was slow"
(($(paused a) < alone * 3 / 2 + 2 * ms && $(paused b) < alone * 3 / 2 + 2 * ms)) || fail "the pause is not that of one"
umount "$mnt" "$mnt-2"
qcowctl detach a b
for name in a b; do
	detach slow-$name
	detach below-$name
done
find "$T" -maxdepth 1 -type f -delete

# -- on a partition; spread over both
attached a 64M
dmsetup create part --table "0 65536 linear /dev/mapper/a 2048"
mkfs.ext4 -q /dev/mapper/part
mount /dev/mapper/part "$mnt"
dd if=/dev/zero of="$mnt/file" bs=1M count=2 status=none
qcowctl snapshot a "$T/a1"
thawed "$mnt"
clean "$T/a.qcow2" 2048
umount "$mnt"
detach part
attached b 128M
attached c 128M
mkfs.btrfs -q -f -m raid1 -d raid0 /dev/mapper/b /dev/mapper/c
mount /dev/mapper/c "$mnt"
dd if=/dev/urandom of="$mnt/file" bs=1M count=8 status=none
sum=$(sha256sum <"$mnt/file")
if qcowctl snapshot b "$mnt/new" 2>"$T/said"; then fail "an overlay on the device itself"; fi
grep -q 'would lie on b itself' "$T/said" || fail "it says: $(<"$T/said")"
qcowctl snapshot b "$T/b1" c "$T/c1"
thawed "$mnt"
umount "$mnt"
qcowctl detach a b c
qcowctl attach -n b "$T/b.qcow2"
qcowctl attach -n c "$T/c.qcow2"
btrfs device scan /dev/mapper/b /dev/mapper/c
mount /dev/mapper/b "$mnt"
want "what the snapshot has" "$sum" "$(sha256sum <"$mnt/file")"
umount "$mnt"
qcowctl detach b c
