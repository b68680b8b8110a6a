# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a file system inside a compressed base under an overlay mounts read-only and its files have the right checksums
# needs: vm 6.12 (6.1 7.2)

cp "$FIXTURES/fs.qcow2" "$T/base"
qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top"

attach disk qcow2 "$T/top" qcow2 "$T/base"
mkdir "$T/mnt"
mount -o ro,noload /dev/mapper/disk "$T/mnt"
want "files" 40 "$(find "$T/mnt" -type f -name 'f*' | wc -l)"
(cd "$T/mnt" && sha256sum --quiet -c "$FIXTURES/fs.sums")
echo 3 >/proc/sys/vm/drop_caches
(cd "$T/mnt" && sha256sum --quiet -c "$FIXTURES/fs.sums")
e2fsck -fn /dev/mapper/disk >/dev/null
umount "$T/mnt"
detach disk
