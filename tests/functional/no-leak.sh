# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: after attaching, reading, reloading, failing and detaching, the allocator holds nothing for the module
# needs: vm 6.12 (6.1 7.2), slub_debug, not debug (KASAN keeps what was freed; kmemleak is asked there)

slabs=/sys/kernel/debug/slab
[ -e $slabs/kmalloc-64/alloc_traces ] || fail "the kernel was not started with slub_debug"

# What is allocated by the module or on its behalf, once for each place in the code; with how many, if it did so itself.
# What a file system makes at the first direct request, and keeps until it is unmounted, is its own.
records() {
	awk 'BEGIN { RS = ""; FS = "\n" } /\[dm_qcow2\]/ && !/sb_init_dio_done_wq/ {
		line = $1
		gsub(/ (waste|age|pid|cpus|nodes)=[^ ]*/, "", line)
		if ($1 !~ /\[dm_qcow2\]/) sub(/^ *[0-9]+ /, "", line)
		for (i = 2; i <= NF; i++) { gsub(/^ +/, "", $i); line = line " < " $i }
		print line
	}' $slabs/kmalloc-*/alloc_traces | sort -u
	grep -o 'q2_[a-z_]*+[^ ]* \[dm_qcow2\]' /proc/vmallocinfo | sort | uniq -c || true
}

cp "$FIXTURES"/{packed,top}.qcow2 "$T/"
cp "$T/packed.qcow2" "$T/bad"
poke "$T/bad" 20 4 99
cp "$T/packed.qcow2" "$T/damaged"
# the L2 entry of cluster 5 points between two clusters
l2=$(($(peek "$T/damaged" "$(peek "$T/damaged" 40 8)" 8) & 0xffffffffffff))
poke "$T/damaged" $((l2 + 40)) 8 $((0x8000000000050200))
chain=(qcow2 "$T/top.qcow2" qcow2 "$T/packed.qcow2")

cycle() {
	attach one "${chain[@]}"
	attach two "${chain[@]}" -- map_limit:64 cache_limit:64
	same_as one "$FIXTURES/top.expected" -r 5 >/dev/null
	same_as two "$FIXTURES/top.expected" -r 5 >/dev/null
	table qcow2 "$T/damaged" | dmsetup reload --readonly one
	dmsetup resume one
	! cat /dev/mapper/one >/dev/null 2>&1 || fail "broken data read"
	detach one
	detach two
	refused 'cluster_bits' "0 2048 qcow2 ro 2 qcow2 $T/top.qcow2 qcow2 $T/bad"
	refused 'cannot be found' "0 2048 qcow2 ro 2 qcow2 $T/top.qcow2 qcow2 $T/nothing"
	refused 'no layer below' "0 2048 qcow2 ro 1 qcow2 $T/top.qcow2"
	refused 'sectors' "0 99999999 qcow2 ro 2 qcow2 $T/top.qcow2 qcow2 $T/packed.qcow2"
	refused 'option' "0 2048 qcow2 ro 1 qcow2 $T/packed.qcow2 2 no_lock fast"
	refused 'format' "0 2048 qcow2 ro 3 qcow2 $T/a qcow2 $T/b vmdk $T/c"
} >/dev/null

settle() {
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
}

modprobe dm-qcow2
settle
records >"$T/before"
attach one "${chain[@]}"
records >"$T/during"
cmp -s "$T/before" "$T/during" && fail "what a device holds is not seen, so neither would be what it leaves"
detach one
cycle
cycle
# What is freed after a grace period takes its time on a busy machine; what leaks stays.
for ((i = 0; i < 5; i++)); do
	settle
	records >"$T/after"
	comm -13 "$T/before" "$T/after" | sed -n 1,20p >"$T/left"
	[ -s "$T/left" ] || break
done
[ ! -s "$T/left" ] || { cat "$T/left"; fail "allocated and not freed: $(head -n 1 "$T/left" | cut -c 1-150)"; }
