# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: suspend, resume and reload go through while many requests are in flight, and no read is lost or wrong
# needs: vm 6.12 7.2 (6.1)

cp "$FIXTURES"/{packed,top}.qcow2 "$FIXTURES/top.expected" "$T/"
# another chain with the same content, on a block device
qemu-img convert -f qcow2 -O qcow2 "$T/top.qcow2" "$T/flat.qcow2"
pool flat "$(stat -c %s "$T/flat.qcow2")"
to_block "$T/flat.qcow2" /dev/mapper/flat

attach disk qcow2 "$T/top.qcow2" qcow2 "$T/packed.qcow2"
chain=$(dmsetup table disk)
flat=$(table qcow2 /dev/mapper/flat)

# readers until the file "stop" is there
for n in 1 2; do
	(
		rounds=0
		while [ ! -e "$T/stop" ]; do
			same_as disk "$T/top.expected" -s "$rounds$n" -r 60 -q 8 >/dev/null
			rounds=$((rounds + 1))
		done
		echo "reader $n: $rounds rounds"
		echo "$rounds" >"$T/rounds.$n"
	) &
	readers+=("$!")
done

for n in $(seq 5); do
	dmsetup suspend disk
	dmsetup resume disk
	dmsetup suspend --noflush disk
	dmsetup resume disk
	if ((n % 2)); then line=$flat; else line=$chain; fi
	dmsetup reload --readonly disk --table "$line"
	dmsetup resume disk
	want table "$line" "$(dmsetup table disk)"
done
touch "$T/stop"
wait "${readers[@]}"
(($(cat "$T/rounds.1") + $(cat "$T/rounds.2") >= 2)) || fail "the readers did not get to read"
want errors 0 "$(status_of disk errors)"
detach disk
detach flat
