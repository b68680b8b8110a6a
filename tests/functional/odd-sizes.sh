# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: sizes that are no multiple of anything: raw bases, last compressed clusters, headers, files on devices
# needs: vm 6.12 7.2 (6.1)

# a raw base that ends inside a sector, below an overlay that goes on
fill "$T/odd" 0 1234567
truncate -s 1234567 "$T/odd"
qemu-img create -q -f qcow2 -b odd -F raw "$T/top" 2M
qemu-io -f qcow2 -c 'write -q -P 4 1300000 5' "$T/top" 2>/dev/null || true
qemu-io -f qcow2 -c 'write -q -P 4 1300480 1024' "$T/top"
expected qcow2 "$T/top" "$T/expected"
attach disk qcow2 "$T/top" raw "$T/odd"
same_as disk "$T/expected"
detach disk

# by itself, rounded up with zeroes
cp "$T/odd" "$T/expected"
truncate -s %512 "$T/expected"
attach disk raw "$T/odd"
same_as disk "$T/expected"
detach disk

# on tmpfs, where 6.1 has no direct I/O
cp "$T/odd" "$SCRATCH/tmpfs/odd"
attach disk raw "$SCRATCH/tmpfs/odd"
same_as disk "$T/expected"
detach disk
rm "$SCRATCH/tmpfs/odd"

# the last compressed cluster ends where the file ends, inside a sector
fill "$T/raw" 0 1M
for cluster in 4k 64k 2M; do
	qemu-img convert -c -f raw -O qcow2 -o cluster_size=$cluster "$T/raw" "$T/packed"
	echo "packed, clusters of $cluster: $(stat -c %s "$T/packed") bytes"
	attach disk qcow2 "$T/packed"
	same_as disk "$T/raw"
	detach disk
	pool lower "$(stat -c %s "$T/packed")"
	to_block "$T/packed" /dev/mapper/lower
	attach disk qcow2 /dev/mapper/lower
	same_as disk "$T/raw"
	detach disk
	detach lower
done

# a header whose size is no multiple of 512 is rounded down
qemu-img create -q -f qcow2 "$T/image" 1M
qemu-io -f qcow2 -c "write -q -s $T/raw 0 1M" "$T/image"
poke "$T/image" 24 8 1000000
expected qcow2 "$T/image" "$T/expected"
want "bytes" 999936 "$(stat -c %s "$T/expected")"
dmsetup create --readonly disk --table "0 1953 qcow2 ro 1 qcow2 $T/image"
same_as disk "$T/expected"
detach disk
