# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a file system inside a compressed base under an overlay mounts read-only and its files have the right checksums
# needs: vm 6.1 6.12 7.2

mkdir "$T/files"
for n in $(seq 40); do
	mkdir -p "$T/files/d$((n % 7))"
	"$BIN/stamp" "$n" $((n * n * 137)) >"$T/files/d$((n % 7))/f$n"
done
(cd "$T/files" && find . -type f -exec sha256sum {} +) >"$T/sums"
truncate -s 32M "$T/fs"
mkfs.ext4 -q -d "$T/files" "$T/fs"
qemu-img convert -c -f raw -O qcow2 "$T/fs" "$T/base"
qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top"

attach disk qcow2 "$T/top" qcow2 "$T/base"
mkdir "$T/mnt"
mount -o ro,noload /dev/mapper/disk "$T/mnt"
want "files" 40 "$(find "$T/mnt" -type f -name 'f*' | wc -l)"
(cd "$T/mnt" && sha256sum --quiet -c "$T/sums")
echo 3 >/proc/sys/vm/drop_caches
(cd "$T/mnt" && sha256sum --quiet -c "$T/sums")
e2fsck -fn /dev/mapper/disk >/dev/null
umount "$T/mnt"
detach disk
