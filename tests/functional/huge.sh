# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: offsets beyond 32 bits and sizes up to petabytes are right, at both ends
# needs: vm 6.12 (6.1 7.2)

# holds OFFSET-IN-MIB FILE...: the device has them there, one megabyte each.
holds() { cmp <(cat "${@:2}") <(dd if=/dev/mapper/disk bs=1M skip="$1" count=$(($# - 1)) iflag=direct status=none); }
fill "$T/data" 0 1M
head -c 1M /dev/zero >"$T/zeroes"

for case in '2M 1024T' '64k 8T' '4k 100G'; do
	read -r cluster size <<<"$case"
	qemu-img create -q -f qcow2 -o cluster_size="$cluster" "$T/image" "$size"
	mib=$(($(numfmt --from=iec "$size") >> 20))
	qemu-io -f qcow2 -c "write -q -s $T/data $((mib - 1))M 1M" -c "write -q -s $T/data $((mib / 2))M 1M" "$T/image"
	qemu-img create -q -f qcow2 -u -b image -F qcow2 "$T/top" "$size"
	attach disk qcow2 "$T/top" qcow2 "$T/image"
	want "size of $size" $((mib << 20)) "$(blockdev --getsize64 /dev/mapper/disk)"
	holds $((mib - 2)) "$T/zeroes" "$T/data"
	holds $((mib / 2 - 1)) "$T/zeroes" "$T/data" "$T/zeroes"
	holds 0 "$T/zeroes"
	holds $((mib / 3)) "$T/zeroes"
	detach disk
done

# data far out in the host file
truncate -s 1M "$T/raw"
fill "$T/raw" 0 1M
qemu-img create -q -f qcow2 "$T/image" 1M
truncate -s 3T "$SCRATCH/xfs/far"
cp "$T/image" "$SCRATCH/xfs/far.head"
dd if="$SCRATCH/xfs/far.head" of="$SCRATCH/xfs/far" conv=notrunc bs=64k status=none
truncate -s 3T "$SCRATCH/xfs/far"
# an L2 table in cluster 4 that says: cluster N of the guest is at 2 TiB + N clusters
poke "$SCRATCH/xfs/far" "$(peek "$T/image" 40 8)" 8 $((0x8000000000000000 | 262144))
entries=()
for n in {0..15}; do
	entries+=($((262144 + n * 8)) 8 $((0x8000000000000000 | (2 << 40) + n * 65536)))
done
poke "$SCRATCH/xfs/far" "${entries[@]}"
fill "$SCRATCH/xfs/far" 2T 1M
attach disk qcow2 "$SCRATCH/xfs/far"
same_as disk "$T/raw"
detach disk
rm "$SCRATCH/xfs/far" "$SCRATCH/xfs/far.head"
