# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: reads of who polls for them succeed, cold and warm, in one piece and in many, of data, zeroes and compressed clusters, on a device with queues to poll, in a file, and on both; none gets stuck
# needs: vm 6.12 (6.1 7.2)

# max_sectors: a request that is polled for cannot be split below
modprobe null_blk nr_devices=1 gb=1 memory_backed=1 submit_queues=1 poll_queues=1 max_sectors=1024
null=/dev/nullb0

# polled WHAT FORMAT PATH...: cold, then warm; small pieces and large ones
polled() {
	local what=$1 size said
	shift
	for size in 4096 262144; do
		attach disk "$@"
		for map in cold warm; do
			said=$(timeout -s KILL 60 "$BIN/polled" /dev/mapper/disk "$T/raw" $size 2>&1) ||
				fail "$what, $map, $size bytes at a time: ${said:-no end} (status $?)"
		done
		want "$what: errors" 0 "$(status_of disk errors)"
		detach disk
	done
	echo "$what: well"
}

# data, then data and zeroes in turn
truncate -s 2M "$T/raw"
fill "$T/raw" 0 1M
for n in 0 2 4 6; do
	fill "$T/raw" $(((16 + n) * 65536)) 64k $n
done
qemu-img convert -f raw -O qcow2 "$T/raw" "$T/plain"
qemu-img convert -c -f raw -O qcow2 "$T/raw" "$T/packed"
# the clusters of the image do not lie in the order of the disk's
qemu-img create -q -f qcow2 "$T/mixed" 2M
for n in 5 3 1 7 0 2 4 6 8 9 10 11; do
	dd if="$T/raw" of="$T/piece" bs=128k skip=$n count=1 status=none
	qemu-io -f qcow2 -c "write -q -s $T/piece $((n * 131072)) 128k" "$T/mixed"
done

# the device below, and another target on it, can be polled
to_block "$T/raw" "$null"
dmsetup create below --table "0 4096 linear $null 0"
for device in "$null" /dev/mapper/below; do
	for size in 4096 262144; do
		"$BIN/polled" "$device" "$T/raw" $size || fail "$device cannot be polled"
	done
done
dmsetup remove below

for image in plain packed mixed; do
	to_block "$T/$image" "$null"
	polled "$image on a device that is polled" qcow2 "$null"
	polled "$image in a file" qcow2 "$T/$image"
done
# an overlay on the polled device, what is below it in a file
qemu-img create -q -f qcow2 -b "$T/plain" -F qcow2 "$T/top" 2M
dd if="$T/raw" of="$T/piece" bs=64k skip=3 count=2 status=none
qemu-io -f qcow2 -c "write -q -s $T/piece 192k 128k" "$T/top"
to_block "$T/top" "$null"
polled "an overlay" qcow2 "$null" qcow2 "$T/plain"

modprobe -r null_blk
