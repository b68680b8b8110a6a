# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Random images, sourced by tests that change them.

# image_kinds: what -o of qemu-img create takes
IMAGE_KINDS=('' compat=0.10 extended_l2=on,cluster_size=16k preallocation=metadata,cluster_size=4k cluster_size=512 \
	extended_l2=on cluster_size=512,refcount_bits=64 compression_type=zstd,cluster_size=4k cluster_size=2M)

# mix IMAGE SIZE CLUSTER N: random writes of all kinds by qemu-io, a few of them compressed
mix() {
	local i commands=() start len
	for ((i = 0; i < $4; i++)); do
		random $(($2 / 512)); start=$((R * 512))
		random 400; len=$((R * 512 + 512))
		((start + len <= $2)) || len=$(($2 - start))
		random 256; pattern=$R
		random 6
		case $R in
		0) commands+=(-c "write -q -z $start $len") ;;
		1) commands+=(-c "write -q -z -u $start $len") ;;
		2) commands+=(-c "discard -q $start $len") ;;
		3) ((start / $3 * $3 + $3 > $2)) || commands+=(-c "write -q -c -P $pattern $((start / $3 * $3)) $3") ;;
		*) commands+=(-c "write -q -P $pattern $start $len") ;;
		esac
	done
	# QEMU refuses compressed writes over other data
	qemu-io -f qcow2 "${commands[@]}" "$1" >/dev/null 2>&1 || true
}
