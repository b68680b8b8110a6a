# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an image that is renamed, unlinked or replaced while attached goes on being read; its file system stays mounted
# needs: vm 6.12 (6.1 7.2)

cp "$FIXTURES/data" "$T/raw"
cp "$FIXTURES/plain.qcow2" "$T/image"
qemu-img create -q -f qcow2 "$T/other" 4M
truncate -s 16M "$T/fs"
mkfs.ext4 -q "$T/fs"
mkdir "$T/mnt"
mount -o loop "$T/fs" "$T/mnt"
cp "$T/image" "$T/mnt/image"

attach disk qcow2 "$T/mnt/image"
if umount "$T/mnt" 2>/dev/null; then fail "the file system of an attached image went away"; fi
mv "$T/mnt/image" "$T/mnt/renamed"
same_as disk "$T/raw" -r 50
rm "$T/mnt/renamed"
same_as disk "$T/raw" -r 50
# the name now means another file, and another image
cp "$T/other" "$T/mnt/image"
attach second qcow2 "$T/mnt/image"
truncate -s 4M "$T/zeroes"
same_as second "$T/zeroes" -r 50
same_as disk "$T/raw" -r 50
detach disk
detach second
umount "$T/mnt"
