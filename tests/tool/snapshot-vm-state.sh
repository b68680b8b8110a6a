# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: VM state that QEMU has saved behind the end of the disk stays with its snapshot, whatever is done to the others
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

# As savevm leaves it, where the disk had been twice as large: the second half is the state.
qemu-img create -q -f qcow2 -o cluster_size=4k image 8M
qemu-io -f qcow2 -c 'write -q -P 1 0 1M' -c 'write -q -P 9 4M 100k' image
qemu-img snapshot -c vm image
table=$(peek image 64 8)
poke image 24 8 $((4 << 20)) $((table + 32)) 4 102400 $((table + 40)) 8 102400 $((table + 48)) 8 $((4 << 20))
qemu-img check -q image

# state: the pattern is where it was, when the snapshot's disk is made as large as it had been
state() {
	cp image copy
	local table number
	table=$(peek copy 64 8)
	number=$(qcowctl snapshot --internal list -J copy | jq 'map(.name) | index("vm")')
	want "place in the table" 0 "$number"
	want "$1: VM size" 102400 "$(qcowctl snapshot --internal list -J copy | jq '.[0]."vm-state-size"')"
	poke copy $((table + 48)) 8 $((8 << 20))
	qcowctl snapshot --internal apply copy vm
	qemu-img check -q copy
	want "$1: state" "" "$(qemu-io -f qcow2 -c 'read -q -P 9 4M 100k' -c 'read -q -P 1 0 1M' copy)"
	grep -q '100 KiB' <<<"$(qemu-img snapshot -l image)" || fail "$1: qemu-img shows no VM state"
	qemu-img check -q image || { qemu-img check image; fail "$1"; }
}

state "at first"
qcowctl snapshot --internal create image ours
state create
qemu-io -f qcow2 -c 'write -q -P 2 512k 1M' image
qcowctl snapshot --internal create image two
qcowctl snapshot --internal apply image ours
state apply
qcowctl resize image 16M
want "the new part" "" "$(qemu-io -f qcow2 -c 'read -q -P 0 4M 12M' image)"
state resize
qcowctl snapshot --internal delete image ours
qcowctl snapshot --internal apply image vm
want "size" $((4 << 20)) "$(qcowctl info -J image | jq '."virtual-size"')"
state "apply of itself"
qcowctl snapshot --internal delete image two
state delete
qemu-img snapshot -a vm image
qcowctl snapshot --internal create image after
state "after qemu-img"
qcowctl snapshot --internal delete image vm
qcowctl snapshot --internal delete image after
qemu-img check -q image || { qemu-img check image; fail "the state has left something behind"; }
