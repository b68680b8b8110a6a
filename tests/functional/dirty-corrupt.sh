# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: images marked dirty or corrupt are served read-only, and left marked
# needs: vm 6.12 (6.1 7.2)

truncate -s 2M "$T/raw"
fill "$T/raw" 0 2M
qemu-img create -q -f qcow2 -o lazy_refcounts=on "$T/good" 2M
qemu-io -f qcow2 -c "write -q -s $T/raw 0 2M" "$T/good"
for bits in 1 2 3; do
	cp "$T/good" "$T/image"
	poke "$T/image" 79 1 "$bits"
	check() {
		attach disk qcow2 "$T/image"
		same_as disk "$T/raw"
		detach disk
	}
	unchanged "$T/image" check
	want "feature bits" "$bits" "$(peek "$T/image" 72 8)"
done

# a real crash: the refcounts are behind
ulimit -c 0
qemu-img create -q -f qcow2 -o lazy_refcounts=on "$T/good" 2M
qemu-io -f qcow2 -c "write -q -P 3 0 1M" -c flush -c abort "$T/good" 2>/dev/null || true
want "dirty bit" 1 "$(peek "$T/good" 72 8)"
expected qcow2 "$T/good" "$T/expected"
cp "$T/good" "$T/image"
attach disk qcow2 "$T/image"
same_as disk "$T/expected"
detach disk
