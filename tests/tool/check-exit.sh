# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: what check exits with: 0 clean, 1 not possible or wrong usage, 2 corrupt, 3 leaks, 63 not qcow2; and what it says
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

# both STATUS IMAGE: qemu-img agrees, the sum reads the same
both() {
	status "$1" qemu-img check -f qcow2 "$2"
	mv out theirs
	status "$1" qcowctl check "$2"
	((  $1 == 1 )) || diff theirs out || fail "it says something else than qemu-img"
}
fresh() {
	rm -f image
	qemu-img create -q -f qcow2 -o "compat=1.1,cluster_size=4k$1" image 1M
	qemu-io -f qcow2 -c 'write -q 0 64k' image
	qemu-io -f qcow2 -c "write -q -c 128k $(qcowctl info -J image | jq '."cluster-size"')" image
}
# offsets in the image made by fresh
table=$((4096)) block=$((2 * 4096))
l2() { echo $(($(peek image "$(peek image 40 8)" 8) & 0xfffffffffffe00)); }

fresh ''
both 0 image
status 0 qcowctl check -J image
want keys '["allocated-clusters","check-errors","compressed-clusters","filename","format","fragmented-clusters","image-end-offset","total-clusters"]' \
	"$(jq -c keys out)"

poke image $((block + 2 * 6)) 2 2 # a data cluster counted twice: leak, but COPIED is wrong now
both 2 image
fresh ''
poke image $((block + 2 * 100)) 2 1
truncate -s $((101 * 4096)) image
both 3 image
grep -q 'Leaked cluster 100 refcount=1 reference=0' err || fail "no leak is named"

fresh ''
poke image $((block + 2 * 6)) 2 0
both 2 image
grep -q 'ERROR cluster 6 refcount=0 reference=1' err || fail "no corruption is named"

fresh ''
entry=$(peek image "$(l2)" 8)
poke image "$(l2)" 8 $((entry | 2)) # a reserved bit
both 2 image
grep -q 'reserved' err
poke image "$(l2)" 8 $((entry + 0x200)) # not aligned
both 2 image
poke image "$(l2)" 8 $((entry & ~(1 << 63))) # COPIED clear
both 2 image
poke image "$(l2)" 8 $((entry + (1 << 40))) # past the end
both 2 image
poke image "$(l2)" 8 "$(peek image $(($(l2) + 8)) 8)" # one cluster twice, another leaked
both 2 image

fresh ',extended_l2=on,cluster_size=16k'
poke image $(($(l2) + 8)) 8 $((0x100000001)) # both allocated and zero
both 2 image
poke image $(($(l2) + 16 * 8 + 8)) 8 1 # compressed, with a bitmap
both 2 image

fresh ''
poke image $table 8 $((block + 512)) # refcount block not aligned
both 1 image
fresh ''
poke image $table 8 $((1 << 40)) # refcount block past the end
both 2 image
fresh ''
poke image $table 8 $((block | 1)) # reserved bit
both 2 image

# snapshots: shared clusters, a broken table
fresh ''
qemu-img snapshot -c s image
both 0 image
qemu-io -f qcow2 -c 'write -q 0 4k' image
both 0 image
cp image whole
snapshots=$(peek image 64 8)
poke image "$snapshots" 8 $(($(peek image "$snapshots" 8) + 512)) # its L1 not aligned
both 2 image
cp whole image
poke image $((snapshots + 36)) 4 2000 # too much extra data
both 1 image
cp whole image
poke image $((snapshots + 36)) 4 0 # no extra data in version 3
both 2 image

# more references than a narrow refcount can hold
fresh ',refcount_bits=1'
poke image "$(l2)" 8 "$(peek image $(($(l2) + 8)) 8)"
both 2 image
grep -q 'more references' err

# bitmaps
fresh ''
qemu-img bitmap --add image b
both 0 image
directory=$(($(xxd -p image | tr -d '\n' | grep -ob 23852875 | sed -n 1p | cut -d: -f1) / 2 + 24))
poke image "$(peek image $directory 8)" 8 512 # the bitmap's table not aligned
both 1 image

# external data: its clusters have no refcounts
qemu-img create -q -f qcow2 -o data_file=data,data_file_raw=on external 1M
qemu-io -f qcow2 -c 'write -q 0 100k' external
both 0 external
# encryption: the header in the image has
make_luks luks
status 0 qcowctl check luks

echo 'no image at all' >raw
status 63 qcowctl check raw
status 63 qemu-img check raw
fresh ''
poke image 4 4 9
both 1 image
status 1 qcowctl check nothing
status 1 qcowctl check
status 1 qcowctl check --nonsense image
