# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Random images made by QEMU, for the tests that want many. Sourced after lib.sh.

# make_image: the file image, of a random format, with data, zeroes, compressed clusters, snapshots and bitmaps
make_image() {
	local options cluster size commands=() i start bits
	random 5
	((R)) && options=compat=1.1 || options=compat=0.10
	random 6
	cluster=$((1 << (9 + R + (R > 3))))
	if [ $options = compat=1.1 ]; then
		random 7; bits=$((1 << R)); options+=,refcount_bits=$bits
		random 3; ((R || cluster < 16384)) || options+=,extended_l2=on
		random 4; ((R)) || options+=,lazy_refcounts=on
		random 4; ((R)) || options+=,compression_type=zstd
	fi
	random 4000; size=$((R * 1024 + 1024))
	qemu-img create -q -f qcow2 -o $options,cluster_size=$cluster image $size
	for ((i = 0; i < 6; i++)); do
		random $((size / 512)); start=$((R * 512))
		random 6
		case $R in
		0) commands+=(-c "write -q -z $start 512") ;;
		1) commands+=(-c "discard -q $start 512") ;;
		2) ((start / cluster * cluster + cluster > size)) || commands+=(-c "write -q -c $((start / cluster * cluster)) $cluster") ;;
		*) ((start + 65536 > size)) || commands+=(-c "write -q $start 65536") ;;
		esac
	done
	((${#commands[@]} == 0)) || qemu-io -f qcow2 "${commands[@]}" image >/dev/null || true
	random 2
	if ((R)) && [ "${bits:-16}" != 1 ]; then
		qemu-img snapshot -c snapshot image 2>/dev/null || true
		qemu-io -f qcow2 -c 'write -q 0 512' image || true
	fi
	random 3
	((R)) || [[ $options == compat=0.10* ]] || qemu-img bitmap --add image bitmap 2>/dev/null || true
}

# The fields of an image made by break_image, 4 KiB clusters, refcounts of 16 bits.
l2() { echo $(($(peek image "$(peek image 40 8)" 8) & 0xfffffffffffe00)); } # where its one L2 table is
set_refcount() { poke image $(($(peek image "$(peek image 48 8)" 8) + 2 * $1)) 2 "$2"; }
set_entry() { poke image $(($(l2) + 8 * $1)) 8 "$2"; }
entry() { peek image $(($(l2) + 8 * $1)) 8; }
cluster() { echo $((($(entry "$1") & 0xfffffffffffe00) / 4096)); }

# The ways in which break_image breaks.
BREAKS='leak leak-in-use twice lost lost-all flag flag-wrong zero no-block block-unaligned block-reserved block-beyond
block-shared table-shared snapshot-short snapshot-long dirty corrupt reserved beyond'

# break_image HOW: the file image, broken in one way
break_image() {
	local table block
	rm -f image
	qemu-img create -q -f qcow2 -o compat=1.1,cluster_size=4k,lazy_refcounts=on image 1M
	qemu-io -f qcow2 -c 'write -q -P 1 0 64k' -c 'write -q -z 0 4k' -c 'write -q -c -P 2 128k 4k' image
	case $1 in
	snapshot*)
		qemu-img snapshot -c snapshot image
		qemu-io -f qcow2 -c 'write -q -P 3 16k 4k' image
		;;
	esac
	table=$(peek image 48 8)
	block=$(peek image "$table" 8)
	case $1 in
	leak) set_refcount 200 1 && truncate -s 1M image ;;
	leak-in-use) set_refcount "$(cluster 3)" 2 ;;
	twice) set_entry 40 "$(entry 3)" ;; # refcount 1, two references, COPIED in both
	lost) set_refcount "$(cluster 3)" 0 ;;
	lost-all) dd if=/dev/zero of=image bs=4096 seek=$((block / 4096)) count=1 conv=notrunc status=none && poke image 72 8 1 ;;
	flag) set_entry 3 $(($(entry 3) & ~(1 << 63))) ;;
	flag-wrong) set_entry 40 "$(entry 3)" && set_refcount "$(cluster 3)" 2 ;;
	zero) set_entry 0 $(($(entry 0) + 0x200)) ;;
	no-block) poke image "$table" 8 0 ;;
	block-unaligned) poke image "$table" 8 $((block + 512)) ;;
	block-reserved) poke image "$table" 8 $((block + 1)) ;;
	block-beyond) poke image "$table" 8 $((1 << 28)) ;;
	block-shared) set_entry 41 $((block | 1 << 63)) ;;
	table-shared) set_entry 41 $((table | 1 << 63)) ;;
	snapshot-short) poke image $(($(peek image 64 8) + 36)) 4 0 ;;
	snapshot-long) poke image $(($(peek image 64 8) + 36)) 4 2000 ;;
	dirty) poke image 72 8 1 ;;
	corrupt) poke image 72 8 2 ;;
	reserved) set_entry 3 $(($(entry 3) | 2)) ;;
	beyond) set_entry 3 $(($(entry 3) + (1 << 40))) ;;
	esac
}
