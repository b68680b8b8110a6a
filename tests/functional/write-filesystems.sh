# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: ext4, xfs and btrfs on an overlay, used by two fio jobs with verification, trimmed, checked, found again by the next attachment; the image is clean
# needs: vm 6.12 timeout 600

qemu-img create -q -f qcow2 "$T/base" 400M
qemu-io -f qcow2 -c 'write -q -P 5 0 2M' "$T/base"
for fs in ext4 xfs btrfs; do
	qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top"
	attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
	"mkfs.$fs" -q "$([ $fs = ext4 ] && echo -F || echo -f)" /dev/mapper/disk
	mkdir -p "$T/mnt"
	mount -o discard /dev/mapper/disk "$T/mnt"
	fio --name=job --directory="$T/mnt" --rw=randwrite --bs=8k --size=6m --numjobs=2 --ioengine=libaio --iodepth=8 \
		--direct=1 --verify=crc32c --do_verify=1 --minimal >"$T/fio" || fail "$fs: $(cat "$T/fio")"
	cp -r /etc "$T/mnt"
	rm "$T"/mnt/job.*.0
	(cd "$T/mnt" && find etc -type f -exec sha256sum {} +) >"$T/sums"
	fstrim "$T/mnt"
	umount "$T/mnt"
	detach disk
	qemu-img check "$T/top" || fail "$fs: qemu-img check"
	attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
	case $fs in
	ext4) fsck.ext4 -fn /dev/mapper/disk ;;
	xfs) xfs_repair -n /dev/mapper/disk ;;
	btrfs) btrfs check /dev/mapper/disk ;;
	esac >"$T/fsck" 2>&1 || fail "$fs: $(cat "$T/fsck")"
	mount /dev/mapper/disk "$T/mnt"
	(cd "$T/mnt" && sha256sum -c --quiet "$T/sums") || fail "$fs: files have changed"
	umount "$T/mnt"
	detach disk
	rm "$T/top"
done
