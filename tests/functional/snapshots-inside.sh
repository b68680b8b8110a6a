# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: images with internal snapshots show the active state, whatever the snapshots hold; broken snapshot tables are refused
# needs: vm 6.1 6.12 7.2

fill "$T/data" 0 512k 7
qemu-img create -q -f qcow2 "$T/image" 4M
qemu-io -f qcow2 -c 'write -q -P 1 0 2M' "$T/image"
qemu-img snapshot -c one "$T/image"
qemu-io -f qcow2 -c "write -q -s $T/data 1M 512k" -c 'write -q -z 0 64k' "$T/image"
qemu-img snapshot -c 'a longer name, with spaces' "$T/image"
qemu-io -f qcow2 -c 'discard -q 1M 64k' -c 'write -q -P 9 3M 64k' "$T/image"
expected qcow2 "$T/image" "$T/expected"
attach disk qcow2 "$T/image"
same_as disk "$T/expected"
detach disk
qemu-img snapshot -a one "$T/image"
expected qcow2 "$T/image" "$T/expected"
attach disk qcow2 "$T/image"
same_as disk "$T/expected"
detach disk

# the L1 table of a snapshot out of place, and extra data without end
at=$(peek "$T/image" 64 8)
cp "$T/image" "$T/bad"
poke "$T/bad" "$at" 8 $(($(peek "$T/image" "$at" 8) + 8))
unchanged "$T/bad" refused 'snapshot' "0 8192 qcow2 ro 1 qcow2 $T/bad"
cp "$T/image" "$T/bad"
poke "$T/bad" $((at + 36)) 4 2000
unchanged "$T/bad" refused 'snapshot' "0 8192 qcow2 ro 1 qcow2 $T/bad"
