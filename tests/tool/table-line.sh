# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the table line that attach would load: order, lengths, options, names with odd bytes; and what is refused before
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

line() { qcowctl attach -r --print-table "$@"; }
qemu-img create -q -f qcow2 base 3M
qemu-img create -q -f qcow2 -b base -F qcow2 mid 1M
qemu-img create -q -f qcow2 -b mid -F qcow2 top 2M
want "a chain" "0 4096 qcow2 ro 3 qcow2 $T/top qcow2 $T/mid qcow2 $T/base" "$(line top)"
want "options" "0 6144 qcow2 ro 1 qcow2 $T/base 3 map_limit:64 cache_limit:2048 no_lock" \
	"$(line --no-lock --map-limit 64K --cache-limit=2M base)"
want "the last one counts" "0 6144 qcow2 ro 1 qcow2 $T/base 1 map_limit:128" "$(line --map-limit 64K --map-limit 128k base)"
truncate -s 1000 raw
want "raw, to the end of its last sector" "0 2 qcow2 ro 1 raw $T/raw" "$(line -f raw raw)"

while read -r name escaped; do
	name=$(printf '%b' "$name")
	cp base "./$name"
	want "$escaped" "0 6144 qcow2 ro 1 qcow2 $T/$escaped" "$(line "./$name")"
done <<'END'
a\x20b a%20b
back\x5cslash back%5Cslash
tab\x09new\x0aline tab%09new%0Aline
100% 100%25
%41 %2541
\x01\x7f %01%7F
-n -n
#x %23x
END

# 0xa0 is white space to the kernel, wherever it stands
cp base à
want 'a letter with 0xa0' "0 6144 qcow2 ro 1 qcow2 $T/"$'\xc3'%A0 "$(line à)"

want "for writing" "0 4096 qcow2 rw 3 qcow2 $T/top qcow2 $T/mid qcow2 $T/base 2 nospace_timeout:5 low_water_mark:2048" \
	"$(qcowctl attach --print-table --nospace-timeout 5 --low-water-mark 2M top)"
: >empty
refused '0 bytes' line -f raw empty
qcowctl create zero 0
refused '0 bytes' line zero
refused 'a directory' line .
refused 'No such file' line nothing
refused 'not a qcow2 image' line raw
refused 'format "vmdk"' line -f vmdk base
for bad in '--map-limit 1K' '--map-limit x' '--cache-limit 63K' '--cache-limit 2G' '-n a/b' '-n control' '-n .' "-n $(printf 'x%.0s' {1..128})"; do
	# shellcheck disable=SC2086
	status 2 line $bad base
done
# what the kernel would refuse is refused here, by name
qemu-img create -q -f qcow2 -o data_file=data external 1M
refused "$T/external: .*external data file" line external
make_luks luks
refused "$T/luks: .*encrypted" line luks
cp base feature
poke feature 72 8 32
refused "$T/feature: .*feature" line feature
qemu-img create -q -f qcow2 -b feature -F qcow2 -u over 1M
refused "$T/feature: .*feature" line over
