# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a flush while the file system below is frozen succeeds and leaves it alone: no change of the file's times, no word from the kernel; after the thaw times go on
# needs: vm 6.12 (6.1 7.2)

times() { stat -c '%y %z' "$1"; }
# flush: status 124 if it does not end; it cannot be killed then.
flush() {
	local pid
	dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none &
	pid=$!
	for _ in $(seq 200); do
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	if kill -0 $pid 2>/dev/null; then return 124; fi
	wait $pid
}

# whatever the end: what is frozen stays so, and nothing ends
trap 'fsfreeze -u "$SCRATCH/$fs" 2>/dev/null || true' EXIT

for fs in ext4 xfs btrfs; do
	image=$SCRATCH/$fs/image
	for format in raw qcow2; do
		if [ $format = raw ]; then
			head -c 4M /dev/zero >"$image"
		else
			qemu-img create -q -f qcow2 -o preallocation=full "$image" 4M
		fi
		attach_rw disk $format "$image"
		# in place, and what that leaves to do is done
		dd if=/dev/zero of=/dev/mapper/disk bs=64k count=4 oflag=direct conv=fsync status=none
		dd if=/dev/zero of=/dev/mapper/disk bs=64k count=4 oflag=direct status=none
		sync -f "$image"
		sleep 0.1
		before=$(times "$image")
		log_mark
		fsfreeze -f "$SCRATCH/$fs"
		rc=0
		flush && flush || rc=$?
		frozen=$(times "$image")
		fsfreeze -u "$SCRATCH/$fs"
		want "$fs, $format: flushes" 0 $rc
		want "$fs, $format: times while it was frozen" "$before" "$frozen"
		read_log
		! matches 'WARNING|Call Trace' "$LOG" || fail "$fs, $format: $(grep -m 1 -E 'WARNING|Call Trace' <<<"$LOG")"
		dd if=/dev/zero of=/dev/mapper/disk bs=64k count=4 oflag=direct conv=fsync status=none
		[ "$(times "$image")" != "$before" ] || fail "$fs, $format: times do not go on"
		detach disk
		rm "$image"
	done
done
