# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: qcowctl makes, shows, checks and attaches images on block devices (LVs, 4096-byte blocks too), around stale caches
# needs: vm 6.12 7.2 (6.1)

pool base 12582912
pool over 12582912
pool tiny 65536
cd "$T"

# what is on a device is what qemu-img says
both() {
	want "info of $1" "$(qemu-img info --output=json "$1" | jq -Sc 'del(."actual-size", .children)')" \
		"$(qcowctl info -J "$1" | jq -Sc 'del(."actual-size", .children)')"
	want "check of $1" "$(qemu-img check --output=json "$1" | jq -Sc .)" "$(qcowctl check -J "$1" | jq -Sc .)"
	want "map of $1" "$(qemu-img map --output=json "$1" | jq -c 'map(del(.compressed))')" \
		"$(qcowctl map --allow /dev -J "$1" | jq -c 'map(del(.filename, .compressed))')"
}
"$BIN/stamp" 1 12582912 | dd of=/dev/mapper/base bs=1M iflag=fullblock status=none
run qcowctl create /dev/mapper/base 10M
both /dev/mapper/base
qemu-io -f qcow2 -c 'write -q -P 7 1M 3M' -c 'write -q -z 5M 100k' /dev/mapper/base
both /dev/mapper/base
run qcowctl create -o cluster_size=4k -b base -F qcow2 /dev/mapper/over
both /dev/mapper/over
qemu-io -f qcow2 -c 'write -q -P 8 2M 10k' /dev/mapper/over
both /dev/mapper/over

# The page cache of the device holds what was there before: only what lies below it counts.
cat /dev/mapper/over >/dev/null
dd if=/dev/zero of=/dev/mapper/over bs=4k count=1 oflag=direct conv=notrunc status=none
if qcowctl info /dev/mapper/over 2>said; then fail "read from a stale cache"; fi
run qcowctl create -b base -F qcow2 /dev/mapper/over
qemu-io -f qcow2 -c 'write -q -P 8 2M 10k' /dev/mapper/over

# /dev/mapper is everybody's: it has to be allowed
if qcowctl attach -r /dev/mapper/over 2>said; then fail "followed a name in /dev/mapper"; fi
grep -q -- '--allow /dev/mapper' said || fail "$(cat said)"
want "attached" /dev/mapper/over-2 "$(qcowctl attach -r --allow /dev/mapper /dev/mapper/over)"
expected qcow2 /dev/mapper/over "$T/expected"
same_as over-2 "$T/expected"
# in use: no new image, no writer
if qcowctl create /dev/mapper/over 1M 2>said; then fail "written over in use"; fi
cat said
qcowctl detach over-2

if qcowctl create -o cluster_size=2M /dev/mapper/tiny 1M 2>said; then fail "fits into 64k"; fi
grep -q 'too small' said || fail "$(cat said)"

# LVs: names in the directory of the group, which are links to nodes elsewhere
pool pv 67108864
printf 'devices { filter=["a|/dev/mapper/pv|","r|.*|"] }\n' >lvm.conf
lvm() { command lvm "$@" --config "$(tr '\n' ' ' <lvm.conf)" >lvm.log 2>&1 || { cat lvm.log; fail "lvm $*"; }; }
lvm pvcreate -qq /dev/mapper/pv
lvm vgcreate -qq group /dev/mapper/pv
for name in bottom top; do lvm lvcreate -qq -y -Wn -Zn -n $name -L 16M group; done
[ -e /dev/group/top ] || { mkdir -p /dev/group && for name in bottom top; do ln -s /dev/mapper/group-$name /dev/group/$name; done; }
run qcowctl create /dev/group/bottom 8M
qemu-io -f qcow2 -c 'write -q -P 9 0 1M' /dev/group/bottom
run qcowctl create -b bottom -F qcow2 /dev/group/top
run qcowctl attach -r /dev/group/top
want "by the names of the group" "$(table qcow2 /dev/group/top qcow2 /dev/group/bottom)" "$(dmsetup table top)"
expected qcow2 /dev/group/top "$T/expected"
same_as top "$T/expected"
qcowctl detach top
lvm vgchange -qq -an group
rm -rf /dev/group
lvm vgremove -qq -f group

# a device of 4096-byte blocks
truncate -s 16M file
loop=$(losetup -f --show -b 4096 file)
run qcowctl create -o cluster_size=512 "$loop" 1M
run qcowctl info "$loop"
run qcowctl check "$loop"
run qcowctl map -J "$loop"
losetup -d "$loop"

# mounted: no image is made there
mkfs.ext4 -q /dev/mapper/base
mkdir mnt
mount /dev/mapper/base mnt
if qcowctl create /dev/mapper/base 1M 2>said; then fail "made on a mounted device"; fi
grep -q 'in use' said || fail "$(cat said)"
umount mnt
for name in base over tiny pv; do dmsetup remove --retry $name; done
