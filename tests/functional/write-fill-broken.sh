# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: who reads a cluster behind a broken table entry or broken compressed data, zlib or zstd, of a layer below gets EIO, and who writes a part of it, too, and nothing is changed; the whole cluster can be written, the device goes on, no image is marked
# needs: vm 6.12 (6.1 7.2)

C=65536
entry() { echo $((($(peek "$T/base" "$(peek "$T/base" 40 8)" 8) & 0xfffffffffffe00) + 8 * $1)); }
# write BLOCK NUMBER SEEK
write() { dd if="$T/new" of=/dev/mapper/disk bs="$1" count="$2" seek="$3" oflag=direct conv=notrunc status=none 2>"$T/said"; }
line="changing 4096 bytes at guest offset $((5 * C)) failed: error 5"

fill "$T/data" 0 1M
fill "$T/new" 0 64k 2
for what in entry zlib zstd; do
	echo "-- broken: $what"
	rm -f "$T/base" "$T/top"
	if [ $what = entry ]; then
		qemu-img convert -f raw -O qcow2 "$T/data" "$T/base"
		at=$(entry 5)
		poke "$T/base" "$at" 8 $(($(peek "$T/base" "$at" 8) + 512))
	else
		qemu-img convert -c -f raw -O qcow2 -o compression_type=$what "$T/data" "$T/base"
		at=$(($(peek "$T/base" "$(entry 5)" 8) & 0x3fffffffffffff))
		poke "$T/base" "$at" 8 -1 $((at + 8)) 8 -1
	fi
	qemu-img create -q -u -f qcow2 -b "$T/base" -F qcow2 "$T/top" 1M
	sum=$(sha256sum <"$T/base")
	attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
	! dd if=/dev/mapper/disk of=/dev/null bs=$C count=1 skip=5 iflag=direct status=none 2>"$T/said" || fail "it reads"
	grep -q 'Input/output error' "$T/said" || fail "$(<"$T/said")"
	(($(status_of disk corrupt))) || fail "nothing corrupt is counted"
	log_mark
	for _ in 1 2 3; do
		! write 4k 1 $((5 * 16)) || fail "a part of the cluster is written"
		grep -q 'Input/output error' "$T/said" || fail "$(<"$T/said")"
		read_log
		! matches "$line" "$LOG" || break
		# Such lines are rate-limited, and a test before may have made many.
		sleep 3
	done
	matches "$line" "$LOG" || fail "the log: $LOG"
	(($(status_of disk errors))) || fail "the error is not counted"
	write 4k 1 $((6 * 16)) || fail "a part of the next one is not written: $(<"$T/said")"
	write $C 1 5 || fail "the whole cluster is not written: $(<"$T/said")"
	want mode rw "$(status_of disk mode)"
	cp "$T/data" "$T/model"
	dd if="$T/new" of="$T/model" bs=4k count=1 seek=$((6 * 16)) conv=notrunc status=none
	dd if="$T/new" of="$T/model" bs=$C count=1 seek=5 conv=notrunc status=none
	same_as disk "$T/model"
	detach disk
	qemu-img check -q "$T/top" || fail "qemu-img check"
	want base "$sum" "$(sha256sum <"$T/base")"
done
