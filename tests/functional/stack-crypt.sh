# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: dm-crypt works on top of the device and below its layers
# needs: vm 6.12 (6.1 7.2)

key=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
crypt() { # crypt NAME DEVICE [dmsetup option]
	dmsetup create ${3:+"$3"} "$1" \
		--table "0 $(blockdev --getsz "$2") crypt aes-xts-plain64 $key 0 $2 0"
}

truncate -s 8M "$T/plain"
fill "$T/plain" 1M 5M

# above: the image holds what dm-crypt wrote
pool blank $((8 << 20))
crypt writer /dev/mapper/blank
to_block "$T/plain" /dev/mapper/writer
detach writer
qemu-img convert -f raw -O qcow2 /dev/mapper/blank "$T/image"
attach disk qcow2 "$T/image"
crypt reader /dev/mapper/disk --readonly
same_as reader "$T/plain"
detach reader
detach disk

# below: the image lies on dm-crypt
qemu-img convert -f raw -O qcow2 "$T/plain" "$T/image"
pool lower "$(stat -c %s "$T/image")"
crypt secret /dev/mapper/lower
to_block "$T/image" /dev/mapper/secret
attach disk qcow2 /dev/mapper/secret
same_as disk "$T/plain"
detach disk
detach secret
detach lower
detach blank
