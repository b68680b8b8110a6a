# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a block device that somebody else has for himself is refused by a sentence, and let go of; so is a file that must not be changed where it would be written. Who writes to a device that is only read, through another one on top that does not know, gets EIO, and the image is not touched
# needs: vm 6.12 (6.1 7.2)

trap 'chattr -i "$T/image" 2>/dev/null || true' EXIT

echo "-- a mounted block device"
pool lower $((16 << 20))
mkfs.ext4 -q /dev/mapper/lower
mkdir "$T/mnt"
mount /dev/mapper/lower "$T/mnt"
refused 'mapper/lower: device-mapper cannot use it \(error 16\)' "0 32768 qcow2 ro 1 raw /dev/mapper/lower"
qemu-img create -q -u -f qcow2 -b /dev/mapper/lower -F raw "$T/top" 16M
refused 'mapper/lower: device-mapper cannot use it \(error 16\)' "0 32768 qcow2 ro 2 qcow2 $T/top raw /dev/mapper/lower"
want "locks on the top" 0 "$(grep -c ":$(stat -c %i "$T/top") " /proc/locks)"
umount "$T/mnt"
attach disk qcow2 "$T/top" raw /dev/mapper/lower
detach disk
detach lower

echo "-- a file that must not be changed"
qemu-img create -q -f qcow2 "$T/image" 1M
fill "$T/data" 0 1M
qemu-io -f qcow2 -c "write -q -s $T/data 0 1M" "$T/image"
chattr +i "$T/image"
refused_rw 'image: cannot be opened for writing \(error 1\)' "0 2048 qcow2 rw 1 qcow2 $T/image"
attach disk qcow2 "$T/image"
same_as disk "$T/data"
detach disk
chattr -i "$T/image"

echo "-- a name that means nothing"
refused 'two hex digits come after %' "0 2048 qcow2 ro 1 qcow2 $T/%zz"
mknod "$T/node" b 42 7
refused 'node: cannot be opened \(error 6\)' "0 2048 qcow2 ro 1 raw $T/node"

echo "-- a writer on top of a reader"
sum=$(sha256sum <"$T/image")
attach disk qcow2 "$T/image"
if dmsetup create over --table "0 2048 linear /dev/mapper/disk 0" 2>"$T/said"; then
	! dd if=/dev/zero of=/dev/mapper/over bs=64k count=1 oflag=direct conv=notrunc status=none 2>"$T/said" || fail "it is written"
	cat "$T/said"
	! blkdiscard -o 0 -l 64k /dev/mapper/over 2>"$T/said" || fail "it is discarded"
	cat "$T/said"
	same_as over "$T/data"
	detach over
else
	echo "this kernel does not take it: $(<"$T/said")"
fi
same_as disk "$T/data"
detach disk
want image "$sum" "$(sha256sum <"$T/image")"
