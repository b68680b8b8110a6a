# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: create makes what qemu-img create makes, over all options: check is clean, info and check say the same
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"

mkdir qemu ours
for dir in qemu ours; do
	qemu-img create -q -f qcow2 $dir/base.qcow2 100M
	truncate -s 1000001 $dir/base.raw
done

count=0
# case OPTIONS SIZE [ARG...]: made by both; where one refuses, so does the other.
case_() {
	local options=$1 size=$2 theirs=0 mine=0
	shift 2
	rm -f {qemu,ours}/image
	# shellcheck disable=SC2086
	qemu-img create -q -f qcow2 ${options:+-o $options} "$@" qemu/image $size >err 2>&1 || theirs=$?
	# shellcheck disable=SC2086
	qcowctl create ${options:+-o $options} "$@" ours/image $size >err 2>&1 || mine=$?
	[ "$((theirs > 0))" = "$((mine > 0))" ] && ((mine < 3)) || { cat err; fail "$options $size $*: $theirs and $mine"; }
	count=$((count + 1))
	((mine == 0)) || { [ ! -e ours/image ] || fail "refused, but there is a file"; return 0; }
	# A large table may end a few clusters earlier here.
	for dir in qemu ours; do
		(cd $dir && qemu-img info --output=json image | jq -S 'del(."actual-size")') >info.$dir
		(cd $dir && qemu-img check --output=json image | jq -S 'del(."image-end-offset")') >check.$dir ||
			fail "$options $size $*: qemu-img check of $dir"
	done
	diff info.qemu info.ours || fail "info of $options $size $*"
	diff check.qemu check.ours || fail "check of $options $size $*"
	(($(stat -c %s ours/image) <= $(stat -c %s qemu/image))) || fail "$options $size $*: larger than qemu-img makes it"
}

for compat in 0.10 1.1; do
	for cluster in 512 64k 2M; do
		for bits in 1 16 64; do
			for extended in off on; do
				case_ compat=$compat,cluster_size=$cluster,refcount_bits=$bits,extended_l2=$extended 10G
			done
		done
	done
done
for compression in zlib zstd; do
	for lazy in on off; do
		case_ compression_type=$compression,lazy_refcounts=$lazy 1G
	done
done
for cluster in 512 64k 2M; do
	case_ cluster_size=$cluster 0
done
case_ '' 50T
case_ '' 5000T
for size in 20G 100G 200G; do
	case_ cluster_size=512 $size
	# QEMU takes as long for this one as for half of the others: make check-long
	[[ $size = 100G && ! ${LONG:-} ]] || case_ cluster_size=512,refcount_bits=64 $size
done
for cluster in 512 4k 64k; do
	for backing in '-b base.qcow2 -F qcow2' '-b base.raw -F raw'; do
		for compat in 0.10 1.1; do
			# shellcheck disable=SC2086
			case_ compat=$compat,cluster_size=$cluster '' $backing
			# shellcheck disable=SC2086
			case_ compat=$compat,cluster_size=$cluster 7M $backing
		done
	done
done
case_ backing_file=base.qcow2,backing_fmt=qcow2,extended_l2=off ''
case_ extended_l2=on,cluster_size=128k '' -b base.qcow2 -F qcow2
case_ '' '' -b base.qcow2
case_ '' 1M -b base.qcow2
case_ '' '' -b nothing -F raw
case_ '' 1M -b nothing -F raw
case_ '' ''
for bad in cluster_size=3k cluster_size=4M cluster_size=256 refcount_bits=3 refcount_bits=128 nothing=1 compat=2.0 \
	lazy_refcounts=perhaps compression_type=lzma extended_l2=on,cluster_size=8k; do
	case_ $bad 1M
done
for size in x -1 1Z 1.5 9223372036854775807 8E; do
	case_ '' "$size"
done
for size in 1 511 513 1k 1.5k 0.5M 3b; do
	case_ '' "$size"
done
# the name has to fit into the first cluster, together with what stands before it
long=$(printf 'x%.0s' {1..400})
touch {qemu,ours}/"${long:0:200}"
case_ cluster_size=512 1M -b "${long:0:200}" -F raw
status 0 qcowctl create -u -o cluster_size=512 -b "${long:0:370}" -F raw ours/image 1M
status 1 qcowctl create -u -o cluster_size=512 -b "$long" -F raw ours/image 1M
echo "$count cases"
((count > 90)) || fail "too few cases"
