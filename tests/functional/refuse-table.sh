# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: wrong table lines are refused by a sentence that says what is wrong; no image is touched
# needs: vm 6.12 (6.1 7.2)

qemu-img create -q -f qcow2 "$T/base" 1M
qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top"
qemu-img create -q -f qcow2 -b top -F qcow2 "$T/over"
fill "$T/raw" 0 1M
B=$T/base
bad() { refused "$1" "0 2048 qcow2 $2"; }

before=$(sha256sum "$T"/*)
bad 'mode|arguments|words|needs' ''
bad 'mode|arguments|words|needs' 'ro'
bad 'mode' "up 1 qcow2 $B"
bad 'read-only: use ro' "rw 1 qcow2 $B"
bad 'layers' "ro 0 qcow2 $B"
bad 'layers' "ro x qcow2 $B"
bad 'layers' "ro -1 qcow2 $B"
bad 'layers' "ro 4097 qcow2 $B"
bad 'layers' "ro 99999999999999999999 qcow2 $B"
bad 'layer' "ro 2 qcow2 $B"
bad 'format' "ro 1 vmdk $B"
bad 'format' "ro 1 QCOW2 $B"
bad 'absolute|must start with' "ro 1 qcow2 base"
bad 'option' "ro 1 qcow2 $B 1 fast"
bad 'option' "ro 1 qcow2 $B 2 no_lock"
bad 'option' "ro 1 qcow2 $B 0 no_lock"
bad 'option' "ro 1 qcow2 $B x"
bad 'map_limit' "ro 1 qcow2 $B 1 map_limit:0"
bad 'low_water_mark' "ro 1 qcow2 $B 1 low_water_mark:0"
bad 'low_water_mark' "ro 1 qcow2 $B 1 low_water_mark:-1"
bad 'low_water_mark' "ro 1 qcow2 $B 1 low_water_mark:1125899906842625"
bad 'nospace_timeout' "ro 1 qcow2 $B 1 nospace_timeout:86401"
bad 'map_limit' "ro 1 qcow2 $B 1 map_limit:63"
bad 'map_limit' "ro 1 qcow2 $B 1 map_limit:"
bad 'map_limit' "ro 1 qcow2 $B 1 map_limit:12k"
bad 'map_limit' "ro 1 qcow2 $B 1 map_limit:99999999999999999999"
bad 'cache_limit' "ro 1 qcow2 $B 1 cache_limit:1"
bad 'option|twice' "ro 1 qcow2 $B 1 no_lock no_lock"

bad 'No such file|cannot be opened|not be opened|error 2' "ro 1 qcow2 $T/nothing"
bad 'neither|regular file|block device' "ro 1 qcow2 $T"
mkfifo "$T/fifo"
bad 'neither|regular file|block device' "ro 1 qcow2 $T/fifo"
rm "$T/fifo"
bad 'neither|regular file|block device' "ro 1 raw /dev/zero"

bad 'backing file.*no layer' "ro 1 qcow2 $T/top"
bad 'no backing file' "ro 2 qcow2 $B raw $T/raw"
bad 'is raw, so nothing' "ro 2 raw $T/raw qcow2 $B"
bad 'twice' "ro 4 qcow2 $T/over qcow2 $T/top qcow2 $T/over qcow2 $B"
ln -s over "$T/link"
bad 'twice' "ro 4 qcow2 $T/over qcow2 $T/top qcow2 $T/link qcow2 $B"
rm "$T/link"
refused 'sectors' "0 2049 qcow2 ro 1 qcow2 $B"
refused 'sectors' "0 99999999 qcow2 ro 1 raw $T/raw"

log_mark "not read-only"
if dmsetup create writable --table "0 2048 qcow2 ro 1 qcow2 $B" 2>/dev/null; then
	dmsetup remove writable
	fail "a device that could be written was made"
fi
grep -q 'read-only' <<<"$(log_since_mark)" || fail "no sentence: $(log_since_mark)"
want "images" "$before" "$(sha256sum "$T"/*)"

# a chain in which a later layer is refused lets go of those opened before
poke "$T/base" 20 4 99
refused 'cluster_bits' "0 2048 qcow2 ro 2 qcow2 $T/top qcow2 $B"
want "locks on the top" 0 "$(grep -c ":$(stat -c %i "$T/top") " /proc/locks)"
