# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: random writes, discards, zeroes and flushes from two threads, on every kind of image, in files and on block devices: the device reads as a model says, the image is clean without leaks, qemu-img reads the same, the base is as it was
# needs: vm 6.12 (6.1 7.2), timeout 600

truncate -s 12M "$T/data"
fill "$T/data" 0 5M
fill "$T/data" 7M 3M 2
seed=1

# churn_image PLACE OPTIONS [BACKING]
churn_image() {
	local place=$1 options=$2 backing=${3:-} image=$T/image layers=()
	echo "seed $seed: $place, ${options:-plain}, ${backing:+on ${backing##*/}}"
	if [ "$backing" ]; then
		qemu-img create -q -f qcow2 ${options:+-o "$options"} -b "$backing" -F qcow2 "$image"
		layers=(qcow2 "$backing")
	else
		qemu-img convert -f raw -O qcow2 ${options:+-o "$options"} ${packed:+-c} "$T/data" "$image"
	fi
	if [ "${snapshot:-}" ]; then
		qemu-img snapshot -c before "$image"
		expected qcow2 "$image" "$T/before"
	fi
	if [ "$place" = block ]; then
		pool lower $((40 << 20))
		to_block "$image" /dev/mapper/lower
		image=/dev/mapper/lower
	fi
	attach_rw disk qcow2 "$image" "${layers[@]}"
	"$BIN/churn" /dev/mapper/disk "$T/model" $seed 150 2 || fail "churn, seed $seed"
	dmsetup status disk
	same_as disk "$T/model"
	detach disk
	qemu-img check "$image" || fail "qemu-img check, seed $seed"
	qemu-img compare -f qcow2 -F raw "$image" "$T/model" || fail "qemu-img reads something else, seed $seed"
	if [ "${snapshot:-}" ]; then
		qemu-img convert -f qcow2 -O raw -l snapshot.name=before "$image" "$T/after"
		cmp "$T/before" "$T/after" || fail "the internal snapshot has changed, seed $seed"
	fi
	# once more: what was written is found again
	attach_rw disk qcow2 "$image" "${layers[@]}"
	same_as disk "$T/model"
	detach disk
	[ "$place" != block ] || detach lower
	pool_reset
	seed=$((seed + 1))
}

qemu-img convert -f raw -O qcow2 "$T/data" "$T/base"
sum=$(sha256sum <"$T/base")
churn_image block '' "$T/base"
churn_image file extended_l2=on "$T/base"
churn_image block extended_l2=on,cluster_size=16k "$T/base"
churn_image file compat=0.10,cluster_size=4k "$T/base"
churn_image file cluster_size=512,refcount_bits=1
churn_image block cluster_size=2M,refcount_bits=64
packed=1 churn_image file compression_type=zstd,cluster_size=32k ''
snapshot=1 churn_image file '' ''
snapshot=1 packed=1 churn_image block extended_l2=on ''
snapshot=1 churn_image file lazy_refcounts=on "$T/base"
want "the base" "$sum" "$(sha256sum <"$T/base")"
