# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an overlay has subclusters of 4 KiB unless told otherwise, and what that makes of a first small write
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

qemu-img create -q -f qcow2 base 16M
qemu-io -f qcow2 -c 'write -q -P 5 0 16M' base

# makes FORMAT OPTIONS: an overlay made with these options has this cluster size and these subclusters
makes() {
	rm -f over
	# shellcheck disable=SC2086
	qcowctl create ${2:+-o $2} -b base -F qcow2 over
	want "$2" "$1" "$(qcowctl info -J over | jq -r '"\(."cluster-size") \(."format-specific".data."extended-l2")"')"
	status 0 qemu-img check -f qcow2 over
	qemu-img compare -q over base
}
makes '131072 true' ''
makes '131072 true' refcount_bits=8
makes '131072 true' extended_l2=on
makes '131072 true' preallocation=metadata
makes '65536 false' extended_l2=off
makes '65536 false' cluster_size=64k
makes '65536 true' cluster_size=64k,extended_l2=on
makes '4096 false' cluster_size=4k
makes '65536 null' compat=0.10
qcowctl create plain 1M
want "without a backing file" 65536 "$(qcowctl info -J plain | jq '."cluster-size"')"

# copies OPTIONS: bytes of the overlay that hold data after 4 KiB have been written here and there
copies() {
	rm -f over
	# shellcheck disable=SC2086
	qcowctl create ${1:+-o $1} -b base -F qcow2 over
	qemu-io -f qcow2 -c 'write -q 1M 4k' -c 'write -q 5004k 4k' -c 'write -q 9M 4k' over
	qemu-img map --output=json over | jq '[.[] | select(.depth == 0).length] | add'
}
want "data of three small writes" $((3 * 4096)) "$(copies '')"
want "data of three small writes to plain clusters" $((3 * 65536)) "$(copies extended_l2=off)"
