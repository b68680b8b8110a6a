# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the queue limits are right over sectors of 512 and 4096 bytes, for images of small and large clusters
# needs: vm 6.12 7.2 (6.1)

limit() { cat "/sys/dev/block/$(dmsetup info -c --noheadings --separator : -o major,minor "$1")/queue/$2"; }

losetup --sector-size 4096 --find --show "$(truncate -s 64M "$T/disk4k"; echo "$T/disk4k")" >"$T/loop"
loop4k=$(cat "$T/loop")
want "sectors of the loop device" 4096 "$(blockdev --getss "$loop4k")"

for cluster in 512 4096 65536; do
	qemu-img create -q -f qcow2 -o cluster_size=$cluster "$T/image" 1M
	fill "$T/data" 0 1M
	qemu-io -f qcow2 -c "write -q -s $T/data 0 1M" -c 'discard -q 4096 65536' "$T/image"
	expected qcow2 "$T/image" "$T/expected"

	attach disk qcow2 "$T/image"
	want "logical block size on a file" 512 "$(limit disk logical_block_size)"
	(($(limit disk max_sectors_kb) >= 64)) || fail "requests are cut to $(limit disk max_sectors_kb) KiB"
	want discards 0 "$(limit disk discard_max_bytes)"
	same_as disk "$T/expected"
	detach disk

	to_block "$T/image" "$loop4k"
	attach disk qcow2 "$loop4k"
	lbs=$(limit disk logical_block_size)
	echo "clusters of $cluster on sectors of 4096: logical block size $lbs"
	((lbs == 512 || lbs == 4096)) || fail "logical block size $lbs"
	(($(limit disk physical_block_size) >= lbs)) || fail "physical block size $(limit disk physical_block_size)"
	same_as disk "$T/expected"
	same_as disk "$T/expected" -b

	# what is stacked on it has the same or coarser
	dmsetup create --readonly over --table "0 2048 linear /dev/mapper/disk 0"
	(($(limit over logical_block_size) >= lbs)) || fail "dm-linear on top: $(limit over logical_block_size)"
	same_as over "$T/expected"
	detach over
	detach disk
done

# a file on a file system that wants direct I/O in units of 4096 bytes
mkfs.ext4 -q -b 4096 "$loop4k"
mkdir "$T/mnt"
mount "$loop4k" "$T/mnt"
for cluster in 512 65536; do
	qemu-img convert -f raw -O qcow2 -o cluster_size=$cluster "$T/data" "$T/mnt/image"
	attach disk qcow2 "$T/mnt/image"
	same_as disk "$T/data"
	detach disk
done
umount "$T/mnt"
losetup -d "$loop4k"
