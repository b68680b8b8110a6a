# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: encryption, external data files, unknown features and what is no qcow2 are refused, each by a sentence that names it
# needs: vm 6.12 (6.1 7.2)

# refuse REGEX FILE: as the only layer
refuse() { unchanged "$2" refused "$1" "0 2048 qcow2 ro 1 qcow2 $(word "$2")"; }

secret=(--object secret,id=s,data=word)
qemu-img create -q -f qcow2 "${secret[@]}" -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$T/luks" 1M
refuse 'encrypted.*LUKS' "$T/luks"
qemu-img create -q -f qcow2 "$T/aes" 1M
poke "$T/aes" 32 4 1
refuse 'encrypted.*AES' "$T/aes"
poke "$T/aes" 32 4 3
refuse 'encryption method 3' "$T/aes"

qemu-img create -q -f qcow2 -o data_file="$T/data.raw" "$T/data" 1M
refuse 'external data file' "$T/data"
qemu-img create -q -f qcow2 -o data_file="$T/data2.raw",data_file_raw=on "$T/data2" 1M
refuse 'external data file' "$T/data2"

qemu-img create -q -f qcow2 "$T/image" 1M
for bit in 5 17 63; do
	cp "$T/image" "$T/new"
	poke "$T/new" $((79 - bit / 8)) 1 $((1 << bit % 8))
	refuse 'unknown incompatible feature' "$T/new"
done
for version in 0 1 4 4294967295; do
	cp "$T/image" "$T/new"
	poke "$T/new" 4 4 "$version"
	refuse 'version' "$T/new"
done

head -c 1M /dev/urandom >"$T/noise"
refuse 'not a qcow2 image' "$T/noise"
truncate -s 1M "$T/zeroes"
refuse 'not a qcow2 image' "$T/zeroes"
: >"$T/empty"
unchanged "$T/empty" refused '.' "0 2048 qcow2 ro 1 qcow2 $T/empty"
unchanged "$T/empty" refused '.' "0 2048 qcow2 ro 1 raw $T/empty"
qemu-img create -q -f vmdk "$T/vmdk" 1M
refuse 'not a qcow2 image' "$T/vmdk"
