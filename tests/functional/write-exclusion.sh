# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an image that is written is nobody else's: not another device's for writing, reading or as a base, not qemu's; a device's base is not written
# needs: vm 6.1 6.12 7.2

qemu-img create -q -f qcow2 "$T/base" 4M
qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top"
qemu-img create -q -f qcow2 -b top -F qcow2 "$T/above"

attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
refused_rw 'another device has it attached for writing' "0 8192 qcow2 rw 2 qcow2 $T/top qcow2 $T/base"
refused 'another device has it attached for writing' "0 8192 qcow2 ro 2 qcow2 $T/top qcow2 $T/base"
refused 'another device has it attached for writing' "0 8192 qcow2 ro 3 qcow2 $T/above qcow2 $T/top qcow2 $T/base"
refused_rw 'in use by an attached device' "0 8192 qcow2 rw 1 qcow2 $T/base"
refused_rw 'in use by an attached device' "0 8192 qcow2 rw 1 raw $T/base"
for command in "write -q 0 64k" "read -q 0 64k"; do
	if qemu-io -f qcow2 -c "$command" "$T/top" 2>"$T/said"; then fail "qemu-io: $command"; fi
	grep -q 'Failed to get .*lock' "$T/said" || fail "$(cat "$T/said")"
done
if qemu-img info "$T/top" >/dev/null 2>&1; then fail "qemu-img info without -U"; fi
qemu-img info -U "$T/top" >/dev/null || fail "qemu-img info -U"
# readers share the base
qemu-io -r -f qcow2 -c 'read -q 0 64k' "$T/base" || fail "qemu-io read of the base"
attach other qcow2 "$T/base"
detach other
# the same device may load its table again
dmsetup table disk | dmsetup load disk || fail "reload"
dmsetup suspend disk
dmsetup resume disk
"$BIN/stamp" 1 $((256 << 10)) | dd of=/dev/mapper/disk bs=64k iflag=fullblock oflag=direct status=none
detach disk
qemu-img check "$T/top" || fail "qemu-img check"

# another program has it
mkfifo "$T/pipe"
qemu-io -f qcow2 "$T/top" <"$T/pipe" >/dev/null 2>&1 &
exec 6>"$T/pipe"
for _ in $(seq 100); do
	! grep -q "OFDLCK.*:$(stat -c %i "$T/top") " /proc/locks || break
	sleep 0.1
done
refused_rw 'another program has it open' "0 8192 qcow2 rw 2 qcow2 $T/top qcow2 $T/base"
exec 6>&-
wait
