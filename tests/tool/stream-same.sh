# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: stream of files leaves the disk and the chain that qemu-img rebase does, over sizes, formats, compressed and zero clusters; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/mix.sh"
. "$TOP/tests/tool/chains.sh"

for ((round = 0; round < 16; round++)); do
	rm -rf mine theirs
	random 3; depth=$((R + 1))
	make_chain mine $depth
	cp -r mine theirs
	for ((i = 0; i <= depth; i++)); do
		qemu-img convert -f "$(format_of l$i)" -O raw "mine/l$i" "was$i"
	done
	random $depth; into=$((R + 1))
	words=(--into "$into") theirs=(-b '') first=0
	random 2
	if ((R && into > 1)); then
		random $((into - 1)); first=$((R + 1))
		words=(--into "mine/l$into" --base $((first - 1)))
		theirs=(-b "l$((first - 1))" -F "$(format_of l$((first - 1)))")
	fi
	status 0 qcowctl stream "${words[@]}" "mine/l$depth"
	qemu-img rebase -f qcow2 "${theirs[@]}" "theirs/l$into"
	sound mine
	same_disk "round $round: the chain shows another disk" "was$depth" "mine/l$depth"
	# No layer shows anything else than it did.
	for ((i = 1; i <= depth; i++)); do
		same_disk "round $round: layer $i" "was$i" "mine/l$i"
	done
	same_disk "not QEMU's disk" "theirs/l$into" "mine/l$into"
	want "chain" "$(chain_names "theirs/l$depth")" "$(chain_names "mine/l$depth")"
	for ((i = first; i < into; i++)); do
		cmp "theirs/l$i" "mine/l$i" || fail "l$i has been changed"
		grep -qx "no longer needed: $PWD/mine/l$i" out || fail "l$i is not named"
	done
	want "named" $((into - first)) "$(grep -c needed out)"
done

# What is no longer needed goes if that is wanted.
make_chain away 3
qemu-img convert -O raw away/l3 was
qcowctl stream --base 0 --delete away/l3 >out
want "left" "away/l0 away/l3" "$(echo away/*)"
same_disk "removed" was away/l3
qcowctl stream --delete away/l3 >out
want "left" "away/l3" "$(echo away/*)"
same_disk "alone" was away/l3

# refusals
qcowctl create alone 1M
refused "there is nothing to pull up" qcowctl stream alone
qemu-img create -q -f qcow2 -b alone -F qcow2 one
qemu-img create -q -f qcow2 -b one -F qcow2 two
qemu-io -f qcow2 -c 'write -q 0 64k' alone
refused "lies right above .*/one" qcowctl stream --base one two
refused "does not lie below" qcowctl stream --into one --base two two
refused "not in the chain" qcowctl stream --base nothing two
refused "No such file" qcowctl stream ./nothing
status 2 qcowctl stream --rate 1M two
status 2 qcowctl stream -b two
status 2 qcowctl stream --copy-on-read two
cp two before
refused "internal snapshots" eval 'qcowctl snapshot --internal create two s && qcowctl stream two'
qcowctl snapshot --internal delete two s

# somebody uses one of the files
mkfifo in
use() { qemu-io -f qcow2 "$@" <in >log 2>&1 & exec 5>in; echo 'read 0 512' >&5; until grep -q '512 bytes' log; do sleep 0.05; done; }
unuse() { echo quit >&5; exec 5>&-; wait; }
use two
refused "two is in use" qcowctl stream two
refused "two is in use" qcowctl stream --into one two
unuse
# a reader of what is only read is in nobody's way
use -r alone
status 0 qcowctl stream --into one two
unuse
want "one stands alone" null "$(qemu-img info --output=json one | jq '."backing-filename"')"
