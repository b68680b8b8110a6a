# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: reading goes on while the file system below is frozen, and does not change access times
# needs: vm 6.1 6.12 7.2

cp "$FIXTURES/small" "$SCRATCH/tmpfs/raw"
for fs in ext4 xfs btrfs; do
	mount -o remount,strictatime "$SCRATCH/$fs"
	cp "$FIXTURES/small.qcow2" "$SCRATCH/$fs/frozen"
	attach disk qcow2 "$SCRATCH/$fs/frozen"
	touch -a -d 2001-02-03 "$SCRATCH/$fs/frozen"
	sync -f "$SCRATCH/$fs/frozen"
	fsfreeze -f "$SCRATCH/$fs"
	rc=0
	timeout 30 "$BIN/verify" /dev/mapper/disk "$SCRATCH/tmpfs/raw" || rc=$?
	fsfreeze -u "$SCRATCH/$fs"
	want "reading over a frozen $fs" 0 "$rc"
	detach disk
	want "access time on $fs" 2001-02-03 "$(date -d "@$(stat -c %X "$SCRATCH/$fs/frozen")" +%F)"
	rm "$SCRATCH/$fs/frozen"
	mount -o remount,relatime "$SCRATCH/$fs"
done
rm "$SCRATCH/tmpfs/raw"
