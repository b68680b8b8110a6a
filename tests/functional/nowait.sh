# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: reads that must not wait are answered at once or told to come again, never wrongly; io_uring reads go through
# needs: vm 6.1 6.12 7.2

truncate -s 1536k "$T/raw"
fill "$T/raw" 0 1M
qemu-img convert -f raw -O qcow2 "$T/raw" "$T/image"
pool lower "$(stat -c %s "$T/image")"
to_block "$T/image" /dev/mapper/lower
qemu-img create -q -f qcow2 "$T/packed" 1536k
qemu-io -f qcow2 -c "write -q -c -s $T/raw 0 1M" "$T/packed"

for chain in "qcow2 $T/image" "qcow2 /dev/mapper/lower" "qcow2 $T/packed"; do
	# shellcheck disable=SC2086
	attach disk $chain
	"$BIN/nowait" /dev/mapper/disk "$T/raw" | tee "$T/cold"
	"$BIN/nowait" /dev/mapper/disk "$T/raw" | tee "$T/warm"
	if [ "$chain" = "qcow2 /dev/mapper/lower" ]; then
		# once the map knows, nothing needs to wait
		grep -q ' 0 told to come again' "$T/warm" || fail "a warm map on a block device still waits"
	fi
	fio --name=uring --filename=/dev/mapper/disk --ioengine=io_uring --direct=1 --rw=randread --bs=4k --iodepth=32 \
		--size=1536k --readonly --minimal >"$T/fio" || fail "fio: $(cat "$T/fio")"
	same_as disk "$T/raw"
	detach disk
done
detach lower
