# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: remove refuses while the device is open, waits if told to; forced removal fails what comes after and hangs nothing
# needs: vm 6.12 (6.1 7.2)

cp "$FIXTURES/packed.qcow2" "$T/image"

attach disk qcow2 "$T/image"
exec 5</dev/mapper/disk
if dmsetup remove disk 2>/dev/null; then fail "removed while open"; fi
dmsetup remove --deferred disk
# the name is gone, the device is not
"$BIN/verify" /dev/fd/5 "$FIXTURES/data"
exec 5<&-
for _ in $(seq 50); do
	dmsetup info disk >/dev/null 2>&1 || break
	sleep 0.1
done
! dmsetup info disk >/dev/null 2>&1 || fail "deferred removal did not happen"

for n in 1 2 3; do
	attach disk qcow2 "$T/image"
	for _ in 1 2 3; do
		dd if=/dev/mapper/disk of=/dev/null bs=64k iflag=direct status=none 2>>"$T/dd.err" &
		dd if=/dev/mapper/disk of=/dev/null bs=256k status=none 2>>"$T/dd.err" &
	done
	sleep "0.$n"
	# the table becomes one that fails everything; the removal itself may still find it open
	dmsetup remove --force disk 2>/dev/null || true
	wait
	[ ! -e /dev/mapper/disk ] || dmsetup remove --retry disk
done
