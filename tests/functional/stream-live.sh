# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: stream pulls a chain in use up into any of its layers, from any base or all of it: the disk shows the same, alone in the end; what lay between is not written; compressed clusters are expanded
# needs: vm 6.12 (6.1 7.2) timeout 600

no() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/said"
	want "status of $*" 1 $rc
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
}

# Compressing takes emulation long.
mkdir "$T/first"
truncate -s 6M "$T/first/data"
fill "$T/first/data" 1M 3M
qemu-img convert -c -f raw -O qcow2 "$T/first/data" "$T/first/base"
clear() { find "$T" -maxdepth 1 -type f -delete; }

# base (compressed) l1 l2 l3, attached
make_chain() {
	local i
	clear
	cp --sparse=always "$T"/first/* "$T"
	qcowctl create -b base -F qcow2 "$T/l1" 8M
	qcowctl attach -n disk "$T/l1"
	for i in 2 3; do
		"$BIN/churn" /dev/mapper/disk "$T/model" $i 40 2
		qcowctl snapshot disk "$T/l$i"
	done
	"$BIN/churn" /dev/mapper/disk "$T/model" 4 40 2
	want chain "base l1 l2 l3" "$(chain_of disk)"
}

# pull EXPECTED-LAYERS EXPECTED-UNNEEDED OPTION...: under load
pull() {
	local expected=$1 unneeded=$2 churn file sums
	shift 2
	sums=$(cd "$T" && sha256sum base $unneeded)
	"$BIN/churn" /dev/mapper/disk "$T/model" 5 80 3 &
	churn=$!
	run qcowctl stream "$@" disk >"$T/out"
	cat "$T/out"
	grep -qE '^disk: stream done, .* copied$' "$T/out" || fail "the end is not told"
	want "unneeded" "$unneeded" "$(sed -n "s|^no longer needed: $T/||p" "$T/out" | sort | xargs)"
	want "chain" "$expected" "$(chain_of disk)"
	wait $churn || fail "churn"
	same_as disk "$T/model"
	qcowctl detach disk
	want "what lies between" "$sums" "$(cd "$T" && sha256sum base $unneeded)"
	# shellcheck disable=SC2086
	set -- $expected
	want "chain by qemu-img" $# "$(qemu-img info --backing-chain --output=json "$T/${!#}" | jq length)"
	qemu-img compare -f qcow2 -F raw "$T/${!#}" "$T/model" || fail "qemu-img reads something else"
	for file; do
		qemu-img check -q "$T/$file" || fail "qemu-img check $file"
	done
}

make_chain
pull 'base l1 l3' 'l2' --base "$T/l1" --into "$T/l3"
make_chain
pull 'l2 l3' 'base l1' --into 2
make_chain
pull 'base l2 l3' 'l1' --into 2 --base 0

make_chain
no 'nothing to pull up' qcowctl stream --base 2 disk
no 'nothing to pull up' qcowctl stream --into 0 disk
no 'does not lie below' qcowctl stream --base 2 --into 1 disk
no 'not in the chain' qcowctl stream --base "$T/data" disk
no 'only in the top' qcowctl stream --copy-on-read --into 2 disk
! dmsetup message disk 0 stream copy_on_read || fail "a message without a layer is taken"
# one that another device reads is not removed
qcowctl attach -r "$T/base"
no 'base is in use' qcowctl stream --delete disk
want "removed" "$T/l1 $T/l2" "$(sed -n 's/^removed: //p' "$T/out" | sort | xargs)"
want "left" "base l3" "$(cd "$T" && ls -d base l? | xargs)"
qcowctl detach base

# all of it, under load, so that the disk stands alone
qcowctl snapshot disk "$T/l4"
pull l4 'l3'

# copy-on-read: what is read is pulled up first
clear
truncate -s 24M "$T/data"
fill "$T/data" 0 24M
qcowctl create -b data -F raw "$T/l1"
qcowctl attach -n disk "$T/l1"
run qcowctl stream -b --copy-on-read --rate 512k disk
dd if=/dev/mapper/disk of=/dev/null bs=64k count=8 skip=320 iflag=direct status=none
for ((i = 0; i < 100; i++)); do
	(($(status_of disk job_moved) < 3 << 20)) || break
	sleep 0.2
done
# The end of a job that is cancelled comes at once, however slow it was to be.
run qcowctl job --cancel disk
same_as disk "$T/data"
qcowctl detach disk
qemu-img map --output=json "$T/l1" | jq -c '.[] | select(.depth == 0)' >"$T/map"
cat "$T/map"
jq -e -s 'any(.start <= 20971520 and .start + .length >= 21495808)' "$T/map" >/dev/null || fail "what was read has not been pulled up"
jq -e -s 'map(.length) | add < 12582912' "$T/map" >/dev/null || fail "all has been pulled up"
qemu-img check -q "$T/l1"
# internal snapshots show what lies below, too
qcowctl attach -n disk "$T/l1"
qcowctl snapshot --internal create disk inside
no 'internal snapshots' qcowctl stream disk
no 'internal snapshots' qcowctl commit disk
qcowctl snapshot --internal delete disk inside
qcowctl commit disk
same_as disk "$T/data"
qcowctl detach disk
