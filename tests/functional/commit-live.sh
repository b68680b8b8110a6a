# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: commit merges any range of a chain in use: the top, the middle, into qcow2 and raw, into a shorter base; the disk shows the same, the chain is shorter on disk, too, and the files that are left over are named, or removed
# needs: vm 6.12 (6.1 7.2) timeout 600

no() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/said"
	want "status of $*" 1 $rc
	want "sentences of $*" 1 "$(wc -l <"$T/said")"
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
}

# make_chain BASE-FORMAT BASE-SIZE: base l1 l2 l3, attached, with something in each
make_chain() {
	local i
	rm -rf "${T:?}"/*
	mkdir -p "$T/else"
	if [ "$1" = raw ]; then truncate -s "$2" "$T/base"; else qcowctl create "$T/base" "$2"; fi
	fill "$T/data" 0 2M
	qemu-io -f "$1" -c "write -q -s $T/data 64k 2M" "$T/base"
	qcowctl create -b base -F "$1" "$T/l1" 8M
	qcowctl attach -n disk "$T/l1"
	for i in 2 3; do
		"$BIN/churn" /dev/mapper/disk "$T/model" $i 40 2
		[ $i != 3 ] || qcowctl snapshot -o extended_l2=off disk "$T/else/l3"
		[ $i = 3 ] || qcowctl snapshot disk "$T/l2"
	done
	"$BIN/churn" /dev/mapper/disk "$T/model" 4 40 2
	want chain "base l1 l2 else/l3" "$(chain_of disk)"
}

# merge EXPECTED-LAYERS EXPECTED-UNNEEDED OPTION...: under load
merge() {
	local expected=$1 unneeded=$2 churn job
	shift 2
	"$BIN/churn" /dev/mapper/disk "$T/model" 5 80 3 &
	churn=$!
	run qcowctl commit "$@" disk >"$T/out"
	cat "$T/out"
	grep -qE '^disk: commit done, .* copied$' "$T/out" || fail "the end is not told"
	want "unneeded" "$unneeded" "$(sed -n "s|^no longer needed: $T/||p" "$T/out" | sort | xargs)"
	want "chain" "$expected" "$(chain_of disk)"
	job=$(qcowctl job -J disk)
	want "job" "commit done" "$(json_value type "$job") $(json_value state "$job")"
	wait $churn || fail "churn"
	same_as disk "$T/model"
	qcowctl detach disk
	# shellcheck disable=SC2086
	set -- $expected
	local top=${!#} format=qcow2
	[ $# -gt 1 ] || format=$BASE
	if [ $format = qcow2 ]; then
		want "chain by qemu-img" $# "$(qemu-img info --backing-chain --output=json "$T/$top" | jq length)"
	fi
	qemu-img compare -f $format -F raw "$T/$top" "$T/model" || fail "qemu-img reads something else"
	for layer; do
		[[ $layer = base && $BASE = raw ]] || qemu-img check -q "$T/$layer" || fail "qemu-img check $layer"
	done
}

for BASE in qcow2 raw; do
	make_chain $BASE 3M
	merge 'base' 'else/l3 l1 l2' --base "$T/base"
	[ $BASE = raw ] || { make_chain $BASE 3M && merge 'base l2 else/l3' 'l1' --top 1; }
	make_chain $BASE 8M
	merge 'base else/l3' 'l1 l2' --top "$T/l2" --base 0
	want "name of the new backing file" "$T/base $BASE" \
		"$(qemu-img info --output=json "$T/else/l3" | jq -r '"\(."backing-filename") \(."backing-filename-format")"')"
done

# relative, and --delete
BASE=qcow2
make_chain qcow2 8M
cd "$T"
qcowctl commit --top l1 --delete disk >out
cat out
want removed "$T/l1" "$(sed -n 's/^removed: //p' out)"
[ ! -e l1 ] || fail "l1 is still there"
want "name of the new backing file" base "$(qemu-img info -U --output=json l2 | jq -r '."backing-filename"')"
same_as disk model
# refused
no 'not in the chain of disk' qcowctl commit --base "$T/data" disk
no 'has no layer 7' qcowctl commit --base 7 disk
no 'does not lie below' qcowctl commit --top 1 --base 1 disk
no 'does not lie below' qcowctl commit --top 1 --base 2 disk
no 'nothing below it' qcowctl commit --top 0 disk
qcowctl create -b base -F qcow2 other
qcowctl attach -r other
no 'in use|use' qcowctl commit disk
want chain "base l2 else/l3" "$(chain_of disk)"
qcowctl detach other
# the base is as long already
merge 'base l2' 'else/l3' --base 1
want "name of the backing file" "base qcow2" \
	"$(qemu-img info --output=json l2 | jq -r '"\(."backing-filename") \(."backing-filename-format")"')"

# each step of the tool that fails leaves the device in use and a chain that shows the same, and the next try ends it
make_chain qcow2 3M
for ((n = 1; ; n++)); do
	rc=0
	[ "$(chain_of disk)" != base ] || qcowctl snapshot disk "$T/more$n"
	"$BIN/fail-ioctl" $n qcowctl commit disk >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/said"
	want "state after call $n" L--w "$(dmsetup info -c --noheadings -o attr disk)"
	qcowctl job --wait disk >/dev/null || true
	((rc != 120)) || break
done
# suspended, for the base has to grow; sent; resumed; and all of it
((n >= 4)) || fail "only $n steps"
same_as disk "$T/model"
want chain base "$(chain_of disk)"
qcowctl detach disk
qemu-img check -q "$T/base" || fail "qemu-img check"

# a base that another device reads cannot be merged into; a mounted file system does not mind a merge
qcowctl create fs1 64M
qcowctl attach fs1 -n disk
mkfs.ext4 -q /dev/mapper/disk
mkdir mnt
mount /dev/mapper/disk mnt
for i in 1 2 3; do
	"$BIN/stamp" $i $((4 << 20)) >mnt/$i
	sync
	qcowctl snapshot disk "$T/fs1-$i"
done
"$BIN/stamp" 4 $((4 << 20)) >mnt/4
sums=$(cat mnt/? | sha256sum)
qcowctl commit --delete disk
echo 3 >/proc/sys/vm/drop_caches
want "files" "$sums" "$(cat mnt/? | sha256sum)"
want chain fs1 "$(chain_of disk)"
umount mnt
qcowctl detach disk
want "left over" "fs1" "$(ls | grep ^fs1 | xargs)"
expected qcow2 fs1 raw
e2fsck -fn raw || fail "e2fsck"
