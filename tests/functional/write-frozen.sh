# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the file system below is frozen under a load of writes and flushes: the device waits and says so little as a status, others are not stuck, and after the thaw all goes on and is right
# rule: STATUS-NEVER-WAITS
# needs: vm 6.12 (6.1 7.2) timeout 600

# The other device lies on another file system than the one that is frozen.
for fs in ext4 xfs btrfs; do
	below=$SCRATCH/$fs
	[ $fs != ext4 ] || other=$SCRATCH/xfs/other
	[ $fs = ext4 ] || other=$T/other
	qemu-img create -q -f qcow2 "$other" 16M
	qemu-img create -q -f qcow2 "$below/image" 16M
	attach_rw disk qcow2 "$below/image"
	attach_rw other qcow2 "$other"
	"$BIN/churn" /dev/mapper/disk "$SCRATCH/tmpfs/model" 5 400 4 &
	churn=$!
	sleep 0.3
	fsfreeze -f "$below"
	kill -0 $churn || { fsfreeze -u "$below"; fail "$fs: no load to freeze under"; }
	# all that can get stuck does so within this time
	rc=0
	timeout 60 "$BIN/churn" /dev/mapper/other "$SCRATCH/tmpfs/model2" 6 40 2 || rc=1
	timeout 10 dmsetup status disk || rc=2
	sleep 1
	kill -0 $churn || rc=3
	fsfreeze -u "$below"
	want "$fs: the other device (1), status (2), the load (3)" 0 $rc
	wait $churn || fail "$fs: churn"
	same_as disk "$SCRATCH/tmpfs/model"
	detach disk
	detach other
	qemu-img check -q "$below/image" || fail "$fs: qemu-img check"
	qemu-img check -q "$other" || fail "$fs: qemu-img check of the other"
	rm "$below/image" "$other" "$SCRATCH"/tmpfs/model*
done
