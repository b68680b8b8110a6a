# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: create with preallocation makes what qemu-img create makes: map, info and check agree, and storage is there or not
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

mkdir qemu ours
for dir in qemu ours; do
	qemu-img create -q -f qcow2 $dir/base 6M
	qemu-io -f qcow2 -c 'write -q -P 5 0 6M' $dir/base
done

# map FILE: without offsets, since our tables come first and then the storage as one piece, and without what the host
# file system tells of holes
map() {
	qemu-img map --output=json "$1" | jq -r '.[] | "\(.length) \(del(.start, .length, .offset, .zero))"' |
		awk '{ len = $1; sub(/^[0-9]+ /, ""); if ($0 != last && sum) { print sum, last; sum = 0 }
			sum += len; last = $0 } END { print sum, last }'
}
allocated() { echo $(($(stat -c %b "$1") * 512)); }

count=0
# case_ OPTIONS SIZE [ARG...]: made by both
case_() {
	local options=$1 size=$2 theirs=0 mine=0 mode=${1#*preallocation=} dir
	shift 2
	rm -f {qemu,ours}/image
	qemu-img create -q -f qcow2 -o "$options" "$@" qemu/image $size >err 2>&1 || theirs=$?
	qcowctl create -o "$options" "$@" ours/image $size >err 2>&1 || mine=$?
	[ "$((theirs > 0))" = "$((mine > 0))" ] || { cat err; fail "$options $size $*: $theirs and $mine"; }
	count=$((count + 1))
	((mine == 0)) || return 0
	for dir in qemu ours; do
		(cd $dir && qemu-img info --output=json image | jq 'del(."actual-size")') >info.$dir
		(cd $dir && qemu-img check --output=json image | jq 'del(."image-end-offset")') >check.$dir ||
			fail "$options $size $*: qemu-img check of $dir"
		map $dir/image >map.$dir
	done
	same_json "info of $options $size $*" info.qemu info.ours
	# QEMU's tables stand between its clusters, which makes more fragments
	jq 'del(."fragmented-clusters")' check.qemu >check.theirs
	jq 'del(."fragmented-clusters")' check.ours >check.mine
	same_json "check of $options $size $*" check.theirs check.mine
	diff map.qemu map.ours || fail "map of $options $size $*"
	qemu-img compare -q qemu/image ours/image || fail "the disks of $options $size $* differ"
	case ${mode%%,*} in
	metadata) (($(allocated ours/image) <= $(allocated qemu/image) + 1048576)) ;;
	*) (($(allocated ours/image) >= $(stat -c %s ours/image))) ;;
	esac || fail "$options $size $*: $(allocated ours/image) bytes of storage, $(allocated qemu/image) by QEMU"
	# it can be written to the last byte without the file growing
	local before
	before=$(stat -c %s ours/image)
	qemu-io -f qcow2 -c 'write -q -P 7 0 512' -c "write -q -P 7 $(($(jq '."virtual-size"' info.ours) - 512)) 512" ours/image
	want "$options $size $*: growth" 0 $((($(stat -c %s ours/image) - before + 2097151) / 2097152))
	status 0 qemu-img check -f qcow2 ours/image
}

for mode in metadata falloc full; do
	case_ preallocation=$mode 10M
	case_ preallocation=$mode,compat=0.10 2M
	case_ preallocation=$mode,extended_l2=on,cluster_size=64k 3M
	case_ preallocation=$mode,cluster_size=512 1M
	case_ preallocation=$mode,cluster_size=2M 5M
	case_ preallocation=$mode,cluster_size=4k,refcount_bits=64 2M
	case_ preallocation=$mode,cluster_size=4k,refcount_bits=1 2M
	case_ preallocation=$mode 1000000
	case_ preallocation=$mode,cluster_size=64k,extended_l2=on '' -b base -F qcow2
	case_ preallocation=$mode,cluster_size=64k '' -b base -F qcow2
	case_ preallocation=$mode,extended_l2=off '' -b base -F qcow2
done
case_ preallocation=metadata 2G
echo "$count cases"

# the same bytes, where QEMU has no choice
qemu-img create -q -f qcow2 -o preallocation=metadata a 100M
qcowctl create -o preallocation=metadata b 100M
cmp a b
# more than a refcount table can hold
refused 'refcount table of more than 8 MiB' qcowctl create -o preallocation=metadata,cluster_size=512,refcount_bits=64 c 40G
# an overlay can have storage, too, and shows its base
refused 'needs extended_l2=on' qcowctl create -o preallocation=metadata,extended_l2=off -b qemu/base -F qcow2 over
qcowctl create -o preallocation=falloc -b qemu/base -F qcow2 over
qemu-img compare -q over qemu/base
# no room, by a limit on the size of files, leaves nothing behind
mkdir d
(ulimit -f 4096 && trap '' XFSZ && refused 'could not be written' qcowctl create -o preallocation=full d/image 10M)
want "what is left" '' "$(ls -A d)"
# nor does a signal
qcowctl create -o preallocation=full d/image 2G &
while [ -z "$(ls -A d)" ] && kill -0 $!; do :; done
kill -TERM $!
if wait $!; then fail "it went on"; fi
want "what is left" '' "$(ls -A d)"
