# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: devices that share images come and go on all CPUs at once, while they are read, and leave no reference behind
# needs: vm 6.12 (6.1 7.2)

# Compressed, so that reading takes a while, and small, so that attaching is most of it.
cp "$FIXTURES/small" "$T/raw"
cp "$FIXTURES/small.qcow2" "$T/base"
for n in 1 2; do
	qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top$n"
	cp "$T/raw" "$T/expected$n"
	fill "$T/expected$n" 1M 64k "$n"
	fill "$T/data" 0 64k "$n"
	qemu-io -f qcow2 -c "write -q -s $T/data 1M 64k" "$T/top$n"
done

storm() {
	local n round
	for round in $(seq 6); do
		n=$((1 + (round + $1) % 2))
		attach "disk$1" qcow2 "$T/top$n" qcow2 "$T/base"
		same_as "disk$1" "$T/expected$n" -r 20 -s "$round" >/dev/null
		((round % 3)) || { dmsetup suspend "disk$1"; dmsetup resume "disk$1"; }
		detach "disk$1"
	done
}

workers=()
for n in 1 2 3 4; do
	storm "$n" &
	workers+=("$!")
done
for pid in "${workers[@]}"; do
	wait "$pid"
done
want "references of the module" 0 "$(cat /sys/module/dm_qcow2/refcnt)"
