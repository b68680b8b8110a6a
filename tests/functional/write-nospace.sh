# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: without room writes wait, with an event, and go on when the file system or the device has room again; with nospace_timeout:0 they fail at once; what was flushed stays, and removal ends
# needs: vm 6.1 6.12 timeout 600

small_fs() {
	truncate -s 24M "$T/disk.img"
	loop=$(losetup -f --show "$T/disk.img")
	mkfs.ext4 -q -F "$loop"
	mkdir -p "$T/small"
	mount "$loop" "$T/small"
}
mode() { dmsetup status disk | grep -o 'mode=[a-z_]*'; }

small_fs
qemu-img create -q -f qcow2 "$T/small/image" 64M
fallocate -l 8M "$T/small/ballast"
attach_rw disk qcow2 "$T/small/image"
"$BIN/stamp" 1 $((14 << 20)) >"$T/data"
events=$(dmsetup info -c --noheadings -o events disk)
dd if="$T/data" of=/dev/mapper/disk bs=64k oflag=direct conv=fsync status=none &
writer=$!
for _ in $(seq 300); do
	[ "$(mode)" != mode=out_of_space ] || break
	sleep 0.1
done
want "mode without room" mode=out_of_space "$(mode)"
[ "$(dmsetup info -c --noheadings -o events disk)" -gt "$events" ] || fail "no event"
rm "$T/small/ballast"
wait $writer || fail "a write failed although room came"
want "mode with room" mode=rw "$(mode)"
cmp -n $((14 << 20)) "$T/data" /dev/mapper/disk || fail "what was written is not there"
detach disk
qemu-img check "$T/small/image" || fail "qemu-img check"

attach_rw disk qcow2 "$T/small/image" -- nospace_timeout:0
if dd if=/dev/urandom of=/dev/mapper/disk bs=1M seek=14 count=40 oflag=direct status=none 2>"$T/said"; then
	fail "40 MiB went into less"
fi
grep -q 'No space left' "$T/said" || fail "$(cat "$T/said")"
cmp -n $((14 << 20)) "$T/data" /dev/mapper/disk || fail "what was written before has changed"
detach disk
qemu-img check "$T/small/image" || fail "qemu-img check after writes without room"
umount "$T/small"
losetup -d "$loop"

# the end of a block device
pool lower $((6 << 20))
qemu-img create -q -f qcow2 /dev/mapper/lower 64M
attach_rw disk qcow2 /dev/mapper/lower -- nospace_timeout:1
if dd if="$T/data" of=/dev/mapper/disk bs=1M oflag=direct status=none 2>/dev/null; then fail "14 MiB went into 6"; fi
# the other way round: the device grows
dd if="$T/data" of=/dev/mapper/disk bs=64k count=16 oflag=direct status=none
detach disk
qemu-img check /dev/mapper/lower || fail "qemu-img check on the full device"
detach lower
