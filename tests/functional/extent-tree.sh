# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: reads and writes in the caller's context go on when ext4 has to read a block of the file's extent tree for them, which it waits for whatever it is told
# needs: vm 6.12 (6.1 7.2)

# every other block: some 2000 extents, in a tree with leaves
truncate -s 16M "$T/file"
fio --name=holes --filename="$T/file" --rw=write:4k --bs=4k --size=16M --io_size=8M --fallocate=none --ioengine=psync >/dev/null
sync
filefrag "$T/file"
[[ $(filefrag "$T/file") =~ :\ ([0-9]+)\ extent ]] && ((BASH_REMATCH[1] > 1000)) || fail "the file is not in pieces"
attach_rw disk raw "$T/file"
# the map knows all of it
dd if=/dev/mapper/disk of=/dev/null bs=64k iflag=direct status=none
before=$(status_of disk direct)
for ((i = 0; i < 8; i++)); do
	echo 3 >/proc/sys/vm/drop_caches
	timeout 60 dd if=/dev/mapper/disk of=/dev/null bs=4k count=1 skip=$((i * 500)) iflag=direct status=none || fail "a read does not end"
	echo 3 >/proc/sys/vm/drop_caches
	timeout 60 dd if="$T/file" of=/dev/mapper/disk bs=4k count=1 skip=$((i * 500 + 16)) seek=$((i * 500 + 16)) oflag=direct status=none || fail "a write does not end"
done
(($(status_of disk direct) - before >= 8)) || fail "not in the caller's context"
(($(status_of disk written) >= 8)) || fail "not in place"
detach disk
