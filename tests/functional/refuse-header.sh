# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: every limit of the header is kept: a field out of range is refused by a sentence that names it
# needs: vm 6.12 (6.1 7.2)

truncate -s 1M "$T/raw"
fill "$T/raw" 0 64k
qemu-img convert -f raw -O qcow2 "$T/raw" "$T/good"
l1=$(peek "$T/good" 40 8)

# bad REGEX OFFSET BYTES VALUE [OFFSET BYTES VALUE]...: the good image with these numbers is refused
bad() {
	local regex=$1
	shift
	cp "$T/good" "$T/bad"
	poke "$T/bad" "$@"
	unchanged "$T/bad" refused "$regex" "0 2048 qcow2 ro 1 qcow2 $T/bad"
}

bad 'cluster_bits' 20 4 8
bad 'cluster_bits' 20 4 22
bad 'cluster_bits' 20 4 4294967295
bad 'header_length' 100 4 103
bad 'header_length' 100 4 65544
bad 'refcount_order' 96 4 7
bad 'compression' 104 1 1
bad 'compression' 104 1 2 79 1 8
bad 'compression' 79 1 8
bad 'L1 table' 36 4 0
bad 'L1 table' 36 4 4194305
bad 'L1 table' 36 4 4294967295
bad 'L1 table' 40 8 $((l1 + 512))
bad 'L1 table' 40 8 $((0x7ffffffffffff000))
bad 'size' 24 8 $((1 << 61))
bad 'refcount table' 56 4 0
bad 'refcount table' 56 4 129
bad 'refcount table' 48 8 65537
bad 'refcount table' 48 8 $((0x7fffffffffff0000))
bad 'snapshot' 60 4 65537 64 8 65536
bad 'snapshot' 60 4 1 64 8 65537
bad 'snapshot' 60 4 65536 64 8 $((0x7fffffffffff0000))
bad 'backing' 8 8 1000 16 4 1024
bad 'backing' 8 8 65536 16 4 4
bad 'backing' 8 8 65530 16 4 100
# an extension that is longer than the cluster
bad 'extension' 112 4 $((0x12345678)) 116 4 $((0x7fffffff))

# extended L2 wants clusters of 16 KiB
qemu-img convert -f raw -O qcow2 -o cluster_size=8k "$T/raw" "$T/good"
bad 'extended L2' 79 1 16

# and the good one is good
attach disk qcow2 "$T/good"
same_as disk "$T/raw"
detach disk
