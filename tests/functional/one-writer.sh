# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a table in which two targets use one image is refused with a sentence when one of them writes it, whatever its name and place; images that none of them writes are shared
# needs: vm 6.12 (6.1 7.2)

# refused_lines REGEX LINE...: a table of several lines is refused by a sentence that matches.
refused_lines() {
	local regex=$1
	shift
	log_mark refused
	if printf '%s\n' "$@" | dmsetup create refused 2>/dev/null; then
		dmsetup remove refused
		fail "accepted: $*"
	fi
	read_log
	matches "qcow2: .*($regex)" "$LOG" || fail "'$LOG' does not match '$regex' for: $*"
	grep -o 'qcow2: .*' <<<"$LOG"
}

qemu-img create -q -f qcow2 "$T/base" 2M
qemu-io -f qcow2 -c 'write -q -P 7 0 2M' "$T/base"
qemu-img create -q -f qcow2 -b "$T/base" -F qcow2 "$T/one"
qemu-img create -q -f qcow2 -b "$T/base" -F qcow2 "$T/two"
qemu-img create -q -f qcow2 -b "$T/one" -F qcow2 "$T/over"
ln -s one "$T/link"
ln "$T/one" "$T/hard"
one="qcow2 rw 2 qcow2 $T/one qcow2 $T/base"
two="qcow2 rw 2 qcow2 $T/two qcow2 $T/base"
again='another target of this table'
sums=$(sha256sum "$T"/{base,one,two,over})

refused_lines "$again" "0 2048 $one" "2048 2048 $one"
for name in link hard; do
	refused_lines "$again" "0 2048 $one" "2048 2048 qcow2 rw 2 qcow2 $T/$name qcow2 $T/base"
done
# one writes what the other has below its top
refused_lines "$again" "0 2048 $one" "2048 2048 qcow2 rw 3 qcow2 $T/over qcow2 $T/one qcow2 $T/base"
# the other way round it is a layer already when it is to be written
refused_lines 'in use by an attached device' "0 2048 qcow2 rw 3 qcow2 $T/over qcow2 $T/one qcow2 $T/base" "2048 2048 $one"
refused_lines "$again" "0 2048 $one" "2048 2048 linear $POOL 0" "4096 2048 $one"
truncate -s 4M "$T/raw"
refused_lines "$again" "0 2048 qcow2 rw 1 raw $T/raw" "2048 2048 qcow2 rw 1 raw $T/raw"
pool lower $((4 << 20))
qemu-img create -q -f qcow2 /dev/mapper/lower 2M
refused_lines "$again" "0 2048 qcow2 rw 1 qcow2 /dev/mapper/lower" "2048 2048 qcow2 rw 1 qcow2 /dev/mapper/lower"
detach lower
# A reader's target does not go into a device that is written.
refused_lines . "0 2048 $one" "2048 2048 ${one/ rw / ro }"
refused_lines . "0 2048 ${one/ rw / ro }" "2048 2048 $one"

# the same when it is loaded into a device that is in use
printf '%s\n' "0 2048 $one" "2048 2048 $two" | dmsetup create disk
log_mark
if printf '%s\n' "0 2048 $one" "2048 2048 $one" | dmsetup load disk 2>/dev/null; then fail "loaded"; fi
read_log
matches "$again" "$LOG" || fail "$LOG"
want "images" "$sums" "$(sha256sum "$T"/{base,one,two,over})"

# Two tops over one base, in one table, are two disks.
"$BIN/stamp" 1 $((2 << 20)) >"$T/data"
dd if="$T/data" of=/dev/mapper/disk bs=64k oflag=direct conv=fsync status=none
cmp -n $((2 << 20)) "$T/data" /dev/mapper/disk || fail "two tops over one base"
# the table is loaded again
dmsetup table disk | dmsetup load disk || fail "its own table is refused"
dmsetup suspend disk
dmsetup resume disk
cmp -n $((2 << 20)) "$T/data" /dev/mapper/disk || fail "after the table was loaded again"
detach disk
for n in one two; do
	qemu-img check -q "$T/$n" || fail "qemu-img check $n"
done
# readers may have one image twice
printf '%s\n' "0 2048 ${one/ rw / ro }" "2048 2048 ${one/ rw / ro }" | dmsetup create --readonly disk || fail "readers"
cmp <(head -c 1M /dev/mapper/disk) <(tail -c 1M /dev/mapper/disk) || fail "readers see two images"
detach disk
