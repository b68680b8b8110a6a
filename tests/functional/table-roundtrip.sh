# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: dmsetup table prints the line that was given, for every option and odd file names, and it loads again verbatim
# needs: vm 6.12 (6.1 7.2)

qemu-img create -q -f qcow2 "$T/image" 1M
qemu-io -f qcow2 -c 'write -q -P 5 64k 128k' "$T/image"
expected qcow2 "$T/image" "$T/expected"

round_trip() {
	local line=$1
	dmsetup create --readonly one --table "$line" || fail "not accepted: $line"
	want table "$line" "$(dmsetup table one)"
	# verbatim into a second device, and into the same one again
	dmsetup table one | dmsetup create --readonly two || fail "does not load again: $line"
	want "table of the second" "$line" "$(dmsetup table two)"
	same_as two "$T/expected" -r 5
	dmsetup table one | dmsetup reload --readonly one || fail "does not reload: $line"
	dmsetup resume one
	want "table after reload" "$line" "$(dmsetup table one)"
	same_as one "$T/expected" -r 5
	detach one
	detach two
}

for opts in '' '1 map_limit:64' '1 cache_limit:64' '1 no_lock' '2 map_limit:16384 cache_limit:2048' \
	'5 map_limit:1000 cache_limit:128 nospace_timeout:0 low_water_mark:1125899906842624 no_lock'; do
	round_trip "0 2048 qcow2 ro 1 qcow2 $T/image${opts:+ $opts}"
done

# options in another order come in the usual one, none lost
dmsetup create --readonly one --table "0 2048 qcow2 ro 1 qcow2 $T/image 3 no_lock cache_limit:128 map_limit:1000"
want table "0 2048 qcow2 ro 1 qcow2 $T/image 3 map_limit:1000 cache_limit:128 no_lock" "$(dmsetup table one)"
detach one

# the start of the disk only
dmsetup create --readonly one --table "0 1024 qcow2 ro 1 qcow2 $T/image"
want table "0 1024 qcow2 ro 1 qcow2 $T/image" "$(dmsetup table one)"
head -c 524288 "$T/expected" >"$T/half"
same_as one "$T/half"
detach one

# nothing in a name means anything but itself
for name in 'two words' ' \ at both ends\ ' $'quo\'te" tab\there' '$HOME `x` %s *?' 'ümläut à #1 qcow2' $'100% %20 \x01\x7f trailing\\'; do
	mv "$T/image" "$T/$name"
	round_trip "0 2048 qcow2 ro 1 qcow2 $(word "$T/$name")"
	mv "$T/$name" "$T/image"
done

# block devices are printed by the name that was given
pool disk "$(stat -c %s "$T/image")"
to_block "$T/image" /dev/mapper/disk
round_trip "0 2048 qcow2 ro 1 qcow2 /dev/mapper/disk 1 map_limit:64"
detach disk
