# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the status line has every documented word, and its counters move with what was read
# needs: vm 6.12 (6.1 7.2)

# 0..1M data, 1M..2M zeroes, 2M..3M compressed, 3M..4M nothing
truncate -s 4M "$T/raw"
fill "$T/raw" 0 1M
fill "$T/raw" 2M 1M 2
qemu-img create -q -f qcow2 "$T/image" 4M
head -c 1M "$T/raw" >"$T/data"
dd if="$T/raw" of="$T/more" bs=1M skip=2 count=1 status=none
qemu-io -f qcow2 -c "write -q -s $T/data 0 1M" -c 'write -q -z 1M 1M' -c "write -q -c -s $T/more 2M 1M" "$T/image"
attach disk qcow2 "$T/image" -- map_limit:128

words='mode layers size granule map_bytes map_limit map_leaves map_fills map_evictions hits misses remapped direct'
words+=' deferred zero compressed mixed errors meta_bytes meta_limit meta_hits meta_misses corrupt'
line=$(dmsetup status disk)
echo "$line"
want "start of the line" '0 8192 qcow2' "$(cut -d ' ' -f 1-3 <<<"$line")"
for word in $words; do
	grep -qE " $word=[a-z0-9]+( |\$)" <<<"$line" || fail "no $word in: $line"
done
want mode ro "$(status_of disk mode)"
want layers 1 "$(status_of disk layers)"
want size 8192 "$(status_of disk size)"
want granule 128 "$(status_of disk granule)"
want map_limit 131072 "$(status_of disk map_limit)"
want meta_limit $((2048 << 10)) "$(status_of disk meta_limit)"

sum() {
	local total=0 word
	for word in "$@"; do
		total=$((total + $(status_of disk "$word")))
	done
	echo "$total"
}

# read MIB: one megabyte there, direct
read_at() { dd if=/dev/mapper/disk of=/dev/null bs=64k skip=$(($1 * 16)) count=16 iflag=direct status=none; }

before=$(sum misses map_fills)
read_at 0
(($(sum misses map_fills) > before)) || fail "the first read was no miss"
before=$(sum hits) io=$(sum direct deferred)
read_at 0
(($(sum hits) >= before + 16)) || fail "reading again did not hit the map"
(($(sum direct deferred) >= io + 16)) || fail "reads of a file were counted nowhere"
before=$(sum zero)
read_at 1
read_at 3
(($(sum zero) >= before + 32)) || fail "zeroes were not counted"
before=$(sum compressed)
read_at 2
(($(sum compressed) >= before + 16)) || fail "compressed clusters were not counted"
want errors 0 "$(status_of disk errors)"
want corrupt 0 "$(status_of disk corrupt)"
want remapped 0 "$(status_of disk remapped)"
(($(status_of disk map_bytes) > 0 && $(status_of disk map_bytes) <= 131072)) || fail "map_bytes"
(($(status_of disk meta_bytes) > 0)) || fail "meta_bytes"
detach disk

# on a block device the same reads are remapped
pool below "$(stat -c %s "$T/image")"
to_block "$T/image" /dev/mapper/below
attach disk qcow2 /dev/mapper/below
read_at 0
read_at 0
(($(status_of disk remapped) >= 16)) || fail "not remapped: $(dmsetup status disk)"
want "direct and deferred" 0 "$(sum direct deferred)"
detach disk
detach below
