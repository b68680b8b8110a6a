# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a device grows under load, and a file system on it with it; new bytes read zeroes over a longer backing file; shrinking is refused; whatever step fails, the device goes on
# needs: vm 6.12 (6.1 7.2) timeout 600

size() { blockdev --getsize64 /dev/mapper/disk; }
no() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/said"
	want "status of $*" 1 $rc
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
}

# longer below than above
truncate -s 40M "$T/base"
fill "$T/base" 0 40M
for options in extended_l2=on,cluster_size=128k cluster_size=4k; do
	qcowctl create -b base -F raw -o $options "$T/disk.qcow2" 8M
	qcowctl attach "$T/disk.qcow2"
	"$BIN/churn" /dev/mapper/disk "$T/model" 4 700 4 &
	churn=$!
	run qcowctl resize disk +8M >"$T/out"
	cat "$T/out"
	grep -qxE 'disk: 16777216 bytes now, paused for [0-9]+\.[0-9] ms' "$T/out" || fail "it is not told"
	want size $((16 << 20)) "$(size)"
	qcowctl resize /dev/mapper/disk 20M
	qcowctl resize disk +1536
	kill -0 $churn || fail "the load has ended too early"
	want size $(((20 << 20) + 1536)) "$(size)"
	no 'would become smaller.*detach it' qcowctl resize disk 8M
	no 'would become smaller.*detach it' qcowctl resize --shrink disk -1M
	no 'no possible size' qcowctl resize disk -64M
	qcowctl resize disk +0
	wait $churn || fail "churn"
	truncate -s $(((20 << 20) + 1536)) "$T/model"
	same_as disk "$T/model"
	"$BIN/churn" /dev/mapper/disk "$T/model" 5 80 4
	same_as disk "$T/model"
	want size "$(size)" "$(qemu-img info -U --output=json "$T/disk.qcow2" | jq '."virtual-size"')"
	qcowctl detach disk
	qemu-img check "$T/disk.qcow2" || fail "qemu-img check"
	qemu-img compare -f qcow2 -F raw "$T/disk.qcow2" "$T/model" || fail "qemu-img reads something else"
done

# each step that fails leaves the device in use, and another try does it
qcowctl attach "$T/disk.qcow2"
for ((n = 1; ; n++)); do
	rc=0
	"$BIN/fail-ioctl" $n qcowctl resize disk 32M 2>"$T/said" || rc=$?
	cat "$T/said"
	want "state after call $n" L--w "$(dmsetup info -c --noheadings -o attr disk)"
	((rc != 120)) || break
	want "status" 1 $rc
done
want steps 7 $n
want size $((32 << 20)) "$(size)"
truncate -s 32M "$T/model"
same_as disk "$T/model"
qcowctl detach disk
qemu-img check "$T/disk.qcow2" || fail "qemu-img check"

# a file system
mkdir "$T/mnt"
for fs in ext4 xfs; do
	qcowctl create "$T/disk.qcow2" 320M
	qcowctl attach "$T/disk.qcow2"
	"mkfs.$fs" -q /dev/mapper/disk
	mount -t $fs /dev/mapper/disk "$T/mnt"
	"$BIN/stamp" 1 $((24 << 20)) | dd of="$T/mnt/file" bs=1M iflag=fullblock conv=fsync status=none &
	qcowctl resize disk +320M
	wait $!
	if [ $fs = ext4 ]; then resize2fs /dev/mapper/disk; else xfs_growfs "$T/mnt"; fi
	(($(stat -f -c '%b * %S' "$T/mnt") > 500 << 20)) || fail "$fs has not grown"
	sum=$(sha256sum <"$T/mnt/file")
	umount "$T/mnt"
	mount -t $fs /dev/mapper/disk "$T/mnt"
	want "file" "$sum" "$(sha256sum <"$T/mnt/file")"
	umount "$T/mnt"
	qcowctl detach disk
	qemu-img check "$T/disk.qcow2" || fail "qemu-img check"
done
