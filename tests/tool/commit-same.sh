# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: commit of files leaves the disk and the chain that qemu-img commit and rebase do, over sizes, formats, compressed and zero clusters; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/mix.sh"
. "$TOP/tests/tool/chains.sh"

# An image that has to grow and cannot: version 2 over a longer backing file. QEMU refuses it as well.
cannot_grow() { grep -q 'an image of version 2 cannot say' err; }

done_rounds=0
for ((round = 0; round < 16; round++)); do
	rm -rf mine theirs
	random 3; depth=$((R + 1))
	make_chain mine $depth
	cp -r mine theirs
	qemu-img convert -O raw "mine/l$depth" was
	random $depth; base=$R
	random $((depth - base)); top=$((base + 1 + R))
	# The active layer as often as one in between.
	random 2; ((R)) || top=$depth
	random 2
	case $R in
	0) words=(--top "mine/l$top" --base "$base") ;;
	1) words=(--top "$top" --base "mine/l$base") ;;
	esac
	if ! qcowctl commit "${words[@]}" "mine/l$depth" >out 2>err; then
		cannot_grow || { cat err >&2; fail "round $round, seed $SEED"; }
		sound mine
		same_disk "a refusal has changed the disk" was "mine/l$depth"
		continue
	fi
	done_rounds=$((done_rounds + 1))
	sound mine
	# One commit after another, layer by layer, into the base; then the name. The base grows as far as the merged layers do.
	qemu-img commit -q -f qcow2 -b "l$base" "theirs/l$top" 2>/dev/null ||
		qemu-img commit -q -f qcow2 -b "theirs/l$base" "theirs/l$top"
	same_disk "round $round: the chain shows another disk" was "mine/l$depth"
	if ((top < depth)); then
		qemu-img rebase -u -f qcow2 -b "l$base" -F "$(format_of l$base)" "theirs/l$((top + 1))"
		want "chain" "$(chain_names "theirs/l$depth")" "$(chain_names "mine/l$depth")"
		! grep -q 'from now on' out || fail "the disk is where it was"
	else
		want "where the disk is" "from now on the disk is: $PWD/mine/l$base" "$(tail -n 1 out)"
		same_disk "round $round: another base than QEMU's" "theirs/l$base" "mine/l$base"
		want "chain" "$(chain_names "theirs/l$base")" "$(chain_names "mine/l$base")"
		want "the top names the base" "l$base" "$(qemu-img info --output=json "mine/l$top" | jq -r '."backing-filename"')"
	fi
	for ((i = base + 1; i <= top; i++)); do
		grep -qx "no longer needed: $PWD/mine/l$i" out || fail "l$i is not named"
	done
	want "named" $((top - base)) "$(grep -c needed out)"
	# Again: there is nothing left to do.
	if ((top == depth)); then
		qcowctl commit --base "mine/l$base" "mine/l$depth" >out
		grep -q 'done, 0 B copied' out || fail "something has been left"
		same_disk "again" was "mine/l$depth"
	fi
done
((done_rounds >= 8)) || fail "only $done_rounds rounds went through"

# What was merged goes if that is wanted, and only when nobody uses it.
make_chain away 3
qemu-img convert -O raw away/l3 was
qcowctl commit --top 2 --base 1 --delete away/l3 >out || grep -q 'version 2' err
want "left" "away/l0 away/l1 away/l3" "$(echo away/*)"
same_disk "removed" was away/l3

# In another directory, by links: the name can be found from everywhere.
rm -rf far near
mkdir far near
qemu-img create -q -f qcow2 far/base 2M
qemu-img create -q -f qcow2 -b "$PWD/far/base" -F qcow2 far/mid 2M
qemu-io -f qcow2 -c 'write -q -P 7 1M 64k' far/mid
qemu-img create -q -f qcow2 -b "$PWD/far/mid" -F qcow2 far/top 2M
qemu-img convert -O raw far/top was
cp far/top near/top
status 0 qcowctl commit --allow "$PWD/far" --top 1 near/top
want "absolute" "$PWD/far/base" "$(qemu-img info --output=json near/top | jq -r '."backing-filename"')"
same_disk "far" was near/top
qcowctl rebase -u -b "$PWD/far/mid" -F qcow2 near/top
ln -s ../near/top far/link
qcowctl commit --allow "$PWD/far" --top 1 far/link >/dev/null
want "by a link" "$PWD/far/base" "$(qemu-img info --output=json near/top | jq -r '."backing-filename"')"

# A raw base on which a size lies that is no whole sector; a format that is given
head -c 100001 /dev/urandom >odd
cp odd odd.raw
truncate -s 1M odd.raw
qemu-img create -q -f qcow2 -o compat=0.10 -b odd -F raw over 1M
qemu-img rebase -u -f qcow2 -b odd over 2>/dev/null || true
qemu-io -f qcow2 -c 'write -q -P 9 98k 100k' over
qcowctl commit --backing-format raw over >/dev/null
qemu-io -f raw -c 'write -q -P 9 98k 100k' odd.raw
cmp odd odd.raw

# refusals
qcowctl create alone 1M
refused "nothing below" qcowctl commit alone
qemu-img create -q -f qcow2 -b alone -F qcow2 one
qemu-img create -q -f qcow2 -b one -F qcow2 two
qemu-io -f qcow2 -c 'write -q 0 64k' one
refused "numbered from 0, the base, to 2" qcowctl commit --base 3 two
refused "over is not in the chain of two; .qcowctl info --chain two." qcowctl commit --base over two
refused "does not lie below" qcowctl commit --top 1 --base 1 two
refused "No such file" qcowctl commit ./nothing
status 2 qcowctl commit --rate 1M two
status 2 qcowctl commit -b two
status 2 qcowctl commit
chmod a-w alone
[ "$(id -u)" = 0 ] || refused "Permission denied" qcowctl commit two
chmod u+w alone
cp one before
qcowctl snapshot --internal create one s
refused "one has internal snapshots" qcowctl commit two
refused "one has internal snapshots" qcowctl commit --top one two
qcowctl snapshot --internal delete one s
truncate -s 1G large
ulimit -f 100000
qemu-img create -q -f qcow2 -b large -F raw longer 2M
ulimit -f unlimited 2>/dev/null || true
# a raw base can be longer: what is beyond the end of the top stays
qcowctl commit longer >/dev/null
want "as long" 1073741824 "$(stat -c %s large)"

# somebody uses one of the files: whoever reads the base, whoever writes the top
mkfifo in
use() { qemu-io -f qcow2 "$@" <in >log 2>&1 & exec 5>in; echo 'read 0 512' >&5; until grep -q '512 bytes' log; do sleep 0.05; done; }
unuse() { echo quit >&5; exec 5>&-; wait; }
use -r alone
refused "alone is in use" qcowctl commit two
refused "alone is in use" qcowctl commit --top one two
status 0 qcowctl commit --top two --base one two
unuse
use two
refused "two is in use" qcowctl commit --top one two
unuse
use -r one
cp one before
status 1 qcowctl commit --delete --top one two
grep -q "one is in use" err || fail "not said why one stays"
[ -e one ] || fail "a file in use has been removed"
unuse
