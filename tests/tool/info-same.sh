# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: info says what qemu-img info says, in text and JSON, of images of every kind and of chains
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

# same IMAGE [FORMAT]
same() {
	local format=${2:-qcow2}
	qcowctl info -f "$format" "$1" >mine.txt
	qemu-img info -f "$format" "$1" >theirs.txt
	diff theirs.txt mine.txt || fail "text of $1"
	qcowctl info -J -f "$format" "$1" >mine
	qemu-img info -f "$format" --output=json "$1" >theirs
	same_json "JSON of $1" theirs mine
}

n=0
for options in compat=0.10 compat=1.1 cluster_size=512 cluster_size=2M refcount_bits=1 refcount_bits=64 lazy_refcounts=on \
	extended_l2=on compression_type=zstd preallocation=metadata compat=0.10,cluster_size=4k; do
	qemu-img create -q -f qcow2 -o "$options" image$n 10M
	qemu-io -f qcow2 -c 'write -q 1M 100k' image$n
	same image$n
	n=$((n + 1))
done
# an image that was not closed; one that is corrupt
poke image6 72 8 1
poke image3 72 8 2
same image6
same image3
grep -q 'cleanly shut down: no' <<<"$(qcowctl info image6)"
grep -q 'corrupt: true' <<<"$(qcowctl info image3)"

export TZ=Asia/Kolkata
for name in one two 'a long name of a snapshot, with spaces'; do
	qemu-img snapshot -c "$name" image1
done
for name in bitmap another; do qemu-img bitmap --add -g 128k image1 $name; done
qemu-img bitmap --disable image1 bitmap
same image1

truncate -s 12345 raw
same raw raw
mkdir sub
qemu-img create -q -f qcow2 -b ../raw -F raw sub/base
qemu-img create -q -f qcow2 -b sub/base -F qcow2 mid
qemu-img create -q -f qcow2 -b "$T/mid" -F qcow2 top
same top
cd sub
same ../top
cd ..
for image in top ./top sub/../top "$T/top" sub/base; do
	qcowctl info --chain --allow "$T" "$image" >mine.txt
	qemu-img info --backing-chain "$image" >theirs.txt
	diff theirs.txt mine.txt || fail "text of the chain of $image"
	qcowctl info --chain --allow "$T" -J "$image" >mine
	qemu-img info --backing-chain --output=json "$image" >theirs
	same_json "JSON of the chain of $image" theirs mine
done

# what nothing can be done with yet is still shown
qemu-img create -q -f qcow2 -o data_file=data,data_file_raw=on external 1M
same external
make_luks luks
want encrypted true "$(qcowctl info -J luks | jq .encrypted)"
want "kind of encryption" luks "$(qcowctl info -J luks | jq -r '."format-specific".data.encrypt.format')"
