# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: check -r refuses what is attached and mends images on block devices; create gives storage on devices full of old bytes
# needs: vm 6.12 (6.1 7.2)

cd "$T"
run qcowctl create base 4M
qemu-io -f qcow2 -c 'write -q -P 5 0 4M' base
run qcowctl create -b base -F qcow2 top
for mode in -r ''; do
	# shellcheck disable=SC2086
	path=$(qcowctl attach $mode top)
	for image in top base; do
		for what in leaks all; do
			if qcowctl check -r $what $image 2>said; then fail "$image repaired while attached $mode"; fi
			grep -q "$image is in use as an image" said || fail "$(cat said)"
		done
	done
	dd if="$path" of=/dev/null bs=1M count=1 iflag=direct status=none
	run qcowctl detach "$(basename "$path")"
done
run qcowctl check -r all top

# on a block device, where it must find room for new refcounts; 4096-byte blocks, too
for block in 512 4096; do
	truncate -s 12M file
	loop=$(losetup -f --show -b $block file)
	"$BIN/stamp" 1 12582912 >"$loop"
	run qcowctl create -o cluster_size=64k "$loop" 8M
	qemu-io -f qcow2 -c 'write -q -P 7 1M 3M' "$loop"
	printf '\0\0\0\0\0\0\0\1' | dd of="$loop" bs=1 seek=65536 conv=notrunc,fsync status=none # the refcount block
	blockdev --flushbufs "$loop"
	if qemu-img check -q -f qcow2 "$loop" >said 2>&1; then fail "nothing is broken"; fi
	run qcowctl check -r all "$loop"
	qemu-img check -q -f qcow2 "$loop" || fail "not mended, blocks of $block"
	qemu-io -r -f qcow2 -c 'read -P 7 1M 3M' "$loop" >said || fail "$(cat said)"
	! grep -q failed said || fail "$(cat said)"

	for mode in metadata full; do
		run qcowctl create -o preallocation=$mode "$loop" 8M
		qemu-img check -q -f qcow2 "$loop" || fail "preallocation=$mode, blocks of $block"
		path=$(qcowctl attach --allow /dev "$loop")
		cmp -n 8388608 "$path" /dev/zero || fail "old bytes, preallocation=$mode, blocks of $block"
		"$BIN/stamp" 2 $((3 << 20)) >data
		dd if=data of="$path" bs=1M seek=2 oflag=direct status=none
		run qcowctl detach "$(basename "$path")"
		qemu-img convert -f qcow2 -O raw "$loop" raw
		{ head -c 2097152 /dev/zero && cat data && head -c 3145728 /dev/zero; } | cmp - raw || fail "written, preallocation=$mode"
		qemu-img check -q -f qcow2 "$loop" || fail "written, preallocation=$mode, blocks of $block"
	done
	if qcowctl create -o preallocation=falloc "$loop" 8M 2>said; then fail "falloc on a device"; fi
	grep -q 'is for files' said || fail "$(cat said)"
	if qcowctl create -o preallocation=metadata "$loop" 12M 2>said; then fail "more than the device holds"; fi
	grep -q 'too small' said || fail "$(cat said)"
	losetup -d "$loop"
done
