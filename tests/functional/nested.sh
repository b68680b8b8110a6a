# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an image in a file system on another device of ours; what holds what is in order when it goes
# needs: vm 6.12 (6.1 7.2)

mkdir "$T/dir"
cp "$FIXTURES/packed.qcow2" "$T/dir/base"
cp "$FIXTURES/top.qcow2" "$T/top"
cp "$FIXTURES/top.expected" "$T/expected"
truncate -s 16M "$T/fs"
mkfs.ext4 -q -d "$T/dir" "$T/fs"
qemu-img convert -f raw -O qcow2 "$T/fs" "$T/outer"

attach outer qcow2 "$T/outer"
mkdir "$T/mnt"
mount -o ro,noload /dev/mapper/outer "$T/mnt"
attach inner qcow2 "$T/top" qcow2 "$T/mnt/base"
same_as inner "$T/expected" -q 32 -r 60
if umount "$T/mnt" 2>/dev/null; then fail "the file system below went away"; fi
if dmsetup remove outer 2>/dev/null; then fail "the device below went away"; fi
# both at once, with their memory taken away
same_as inner "$T/expected" -s 2 &
one=$!
same_as outer "$T/fs" -s 3 &
two=$!
for _ in 1 2 3 4 5; do
	echo 3 >/proc/sys/vm/drop_caches
	sleep 0.1
done
wait $one
wait $two
detach inner
umount "$T/mnt"
detach outer

# directly on the device: a qcow2 whose content is a qcow2
qemu-img convert -f raw -O qcow2 "$T/top" "$T/wrapped"
attach outer qcow2 "$T/wrapped"
attach inner qcow2 /dev/mapper/outer qcow2 "$T/dir/base"
same_as inner "$T/expected"
detach inner
detach outer
