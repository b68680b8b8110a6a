# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: attaching sees what was written last, even if it is still in a page cache; detaching leaves nothing stale there
# needs: vm 6.12 (6.1 7.2)

truncate -s 2M "$T/one"
fill "$T/one" 0 2M 1
fill "$T/two" 0 2M 2
for n in one two; do
	qemu-img convert -f raw -O qcow2 "$T/$n" "$T/$n.qcow2"
done
pool lower "$(stat -c %s "$T/one.qcow2")"

for n in one two one; do
	# a file: buffered writes, not synced
	cat "$T/$n.qcow2" >"$T/file"
	attach disk qcow2 "$T/file"
	same_as disk "$T/$n"
	same_as disk "$T/$n" -b
	detach disk
	# a block device: the same, with the old content still cached for readers
	dd if=/dev/mapper/lower of=/dev/null bs=1M status=none
	exec 7</dev/mapper/lower
	dd if="$T/$n.qcow2" of=/dev/mapper/lower bs=1M conv=notrunc status=none
	attach disk qcow2 /dev/mapper/lower
	same_as disk "$T/$n"
	detach disk
	exec 7<&-
	qemu-img check -q -f qcow2 /dev/mapper/lower || fail "qemu-img check finds the device changed"
	cmp -n "$(stat -c %s "$T/$n.qcow2")" /dev/mapper/lower "$T/$n.qcow2"
done
detach lower
