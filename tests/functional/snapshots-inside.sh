# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: images with internal snapshots show the active state, whatever the snapshots hold; broken snapshot tables are refused
# needs: vm 6.12 (6.1 7.2)

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

# extra data over its limit
at=$(peek "$T/image" 64 8)
for field in '36 4 2000' '36 4 4294967295'; do
	cp "$T/image" "$T/bad"
	# shellcheck disable=SC2086
	set -- $field
	poke "$T/bad" $((at + $1)) "$2" "$3"
	if qemu-img info "$T/bad" >/dev/null 2>&1; then fail "qemu-img opens it"; fi
	unchanged "$T/bad" refused 'snapshot' "0 8192 qcow2 ro 1 qcow2 $T/bad"
done
