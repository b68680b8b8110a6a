# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: allocations fail at random wherever this module is on the stack: attaching fails with a sentence or works, requests fail alone, writing never ends for good, what was flushed stays, the image has leaks at most
# needs: vm debug with fault injection, timeout 600

SEED=${SEED:-1}
SIZE=$((12 << 20))
inject=/sys/kernel/debug

# fail_some PERCENT [WHAT]: of the allocations of WHAT, or of none
fail_some() {
	local what
	for what in failslab fail_page_alloc; do
		echo 0 >$inject/$what/probability
	done
	((!$1)) || echo "$1" >"$inject/$2/probability"
}
for what in failslab fail_page_alloc; do
	[ -d $inject/$what ] || fail "the kernel has no $what"
	# these are allowed to wait, and small
	echo N >$inject/$what/ignore-gfp-wait
	[ $what = failslab ] || echo 0 >$inject/$what/min-order
	[ $what = failslab ] || echo N >$inject/$what/ignore-gfp-highmem
	echo 0 >$inject/$what/verbose
	echo 32 >$inject/$what/stacktrace-depth
	awk '/\[dm_qcow2\]/ && tolower($2) == "t" { print $1 }' /proc/kallsyms | sort >"$T/text"
	echo "0x$(head -n 1 "$T/text")" >$inject/$what/require-start
	printf '0x%x' $((0x$(tail -n 1 "$T/text") + 4096)) >$inject/$what/require-end
done
trap 'fail_some 0' EXIT

truncate -s $SIZE "$T/base"
fill "$T/base" 0 6M
# The slabs that devices share are there throughout: making one leaks a name in the kernel when it fails half way.
qemu-img create -q -f qcow2 "$T/other" 1M
attach_rw other qcow2 "$T/other"
n=$SEED
for where in block file; do
	for what in failslab fail_page_alloc; do
		for options in '' extended_l2=on,cluster_size=16k; do
			echo "-- seed $n: $where, $what, ${options:-plain}"
			image=$T/image
			if [ $where = block ]; then
				pool lower $((48 << 20))
				image=/dev/mapper/lower
			fi
			qemu-img create -q -f qcow2 ${options:+-o "$options"} -b "$T/base" -F raw "$image" $SIZE
			echo 1000000 >$inject/$what/times
			line=$(table qcow2 "$image" raw "$T/base" | sed 's/ ro / rw /')
			fail_some 3 $what
			attached=0
			for _ in 1 2 3 4 5 6 7 8; do
				! dmsetup create disk --table "$line" 2>/dev/null || { attached=$((attached + 1)); dmsetup remove --retry disk; }
			done
			fail_some 0
			echo "$attached of 8 times attached, $((1000000 - $(cat $inject/$what/times))) allocations failed"
			attach_rw disk qcow2 "$image" raw "$T/base"
			cat /dev/mapper/disk >"$T/before"
			echo 1000000 >$inject/$what/times
			fail_some 3 $what
			"$BIN/survive" /dev/mapper/disk "$T/state" $n 300 4 || fail "reads are wrong, seed $n"
			fail_some 0
			failed=$((1000000 - $(cat $inject/$what/times)))
			echo "$failed allocations failed"
			((failed)) || fail "no allocation failed"
			mode=$(status_of disk mode)
			# the file system below may lose its own writes for want of memory, and say so to the next flush
			[[ $where = file && $mode = failed_ro ]] || want "mode, seed $n" rw "$mode"
			dd if=/dev/mapper/disk of=/dev/null bs=1M iflag=direct status=none || fail "reading, with memory"
			[ "$mode" != rw ] || dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none ||
				fail "a flush, with memory"
			detach disk
			qemu-img check -f qcow2 "$image" >"$T/check" 2>&1 || (($? == 3)) || fail "qemu-img check: $(cat "$T/check")"
			qemu-img convert -f qcow2 -O raw "$image" "$T/after"
			"$BIN/survive" -c "$T/state" "$T/before" "$T/after" || fail "flushed data are lost, seed $n"
			[ $where = file ] || { detach lower; pool_reset; }
			n=$((n + 1))
		done
	done
done
detach other
