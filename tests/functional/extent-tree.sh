# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: reads and writes in the caller's context go on when ext4 has to read a block of the file's extent tree for them, which it waits for whatever it is told
# needs: vm 6.12 (6.1 7.2)

# every other block: some 2000 extents, in a tree with leaves
truncate -s 16M "$T/file"
writes=()
for ((i = 0; i < 2048; i++)); do
	writes+=(-c "write -q -P $((i % 255 + 1)) $((i * 8))k 4k")
done
qemu-io -f raw "${writes[@]}" "$T/file"
sync
(($(filefrag -v "$T/file" | wc -l) > 2000)) || fail "the file is not in pieces"
attach_rw disk raw "$T/file"
before=$(status_of disk direct)
# access COMMAND...: with nothing of the extent tree in memory, but the map, which a worker fills for another block
access() {
	echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/mapper/disk of=/dev/null bs=4k count=1 iflag=direct status=none
	timeout 60 "$@" || fail "it does not end: $*"
}
for ((i = 1; i < 8; i++)); do
	access dd if=/dev/mapper/disk of=/dev/null bs=4k count=1 skip=$((i * 500)) iflag=direct status=none
	access dd if="$FIXTURES/data" of=/dev/mapper/disk bs=4k count=1 seek=$((i * 500 + 16)) oflag=direct status=none
done
(($(status_of disk direct) - before >= 7)) || fail "not in the caller's context"
(($(status_of disk written) >= 7)) || fail "not in place"
detach disk
