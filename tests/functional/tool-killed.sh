# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: SIGKILL ends qcowctl right before each ioctl of each verb that suspends: no device is left suspended or with a second table, no file system frozen, a group has its snapshots or has none, and the disks are what they were
# needs: vm 6.12 (6.1 7.2) timeout 600

mnt=$T/mnt
mkdir "$mnt"

# killed N COMMAND...: sets RC and STEP; 120: it makes fewer calls
killed() {
	RC=0
	"$BIN/fail-ioctl" -k "$@" >"$T/out" 2>"$T/said" || RC=$?
	STEP=$(sed -n 's/^fail-ioctl: //p' "$T/said")
	echo "$1: $STEP, status $RC: ${*:2}"
	((RC == 137 || RC == 120)) || { cat "$T/out" "$T/said"; fail "status $RC, call $1"; }
}
# Neither suspended nor with a second table. That they can be read, the comparisons show.
go_on() {
	local attr
	while read -r attr; do
		want "state after call $n ($STEP)" L--w "$attr"
	done < <(dmsetup info -c --noheadings -o attr)
}
thawed() { timeout 20 sh -c "echo $n >'$mnt/thawed' && sync '$mnt/thawed'" || fail "the file system is frozen after call $n ($STEP)"; }
nr_layers() {
	local words
	read -ra words < <(dmsetup table "$1")
	echo "${words[4]}"
}
# checked NAME IMAGE...: detached, sound
checked() {
	local image
	qcowctl detach "$1"
	for image in "${@:2}"; do
		qemu-img check -q "$image" || fail "qemu-img check of $image"
	done
}

# -- a group of two, a file system on one of them
for name in a b; do
	qcowctl create "$T/$name.qcow2" 8M
	qcowctl attach "$T/$name.qcow2"
done
mkfs.ext4 -q /dev/mapper/b
mount /dev/mapper/b "$mnt"
"$BIN/churn" /dev/mapper/a "$T/model" 3 20 2
for ((n = 1; ; n++)); do
	"$BIN/stamp" $n 65536 >"$mnt/$n"
	killed $n qcowctl snapshot a "$T/a-$n" b "$T/b-$n"
	go_on
	thawed
	want "snapshots of a and b after call $n ($STEP)" "$(nr_layers a)" "$(nr_layers b)"
	same_as a "$T/model"
	((RC != 120)) || break
done
((n > 6)) || fail "only $n steps"
echo "layers: $(nr_layers a)"
sums=$(cat "$mnt"/? | sha256sum)
umount "$mnt"
mount /dev/mapper/b "$mnt"
want "files" "$sums" "$(cat "$mnt"/? | sha256sum)"
umount "$mnt"
mapfile -t chain < <(layers a)
checked a "${chain[@]}"
mapfile -t chain < <(layers b)
checked b "${chain[@]}"
find "$T" -maxdepth 1 -type f -delete

# -- inside of an image; larger; merged
truncate -s 4M "$T/base"
fill "$T/base" 0 2M
qcowctl create -b base -F raw "$T/disk.qcow2"
qcowctl attach "$T/disk.qcow2"
"$BIN/churn" /dev/mapper/disk "$T/model" 4 20 2
for ((n = 1; ; n++)); do
	killed $n qcowctl snapshot --internal create disk "tag$n"
	go_on
	same_as disk "$T/model"
	((RC != 120)) || break
done
((n > 2)) || fail "only $n steps"
last=tag$n
size=4
for ((n = 1; ; n++)); do
	size=$((size + 1))
	killed $n qcowctl resize disk ${size}M
	go_on
	# a try that was cut off does not keep the next one from its work
	size=$((size + 1))
	((RC == 120)) || qcowctl resize disk ${size}M
	truncate -s "$(blockdev --getsize64 /dev/mapper/disk)" "$T/model"
	same_as disk "$T/model"
	((RC != 120)) || break
done
((n > 4)) || fail "only $n steps"
cp --sparse=always "$T/model" "$T/model-4"
truncate -s 4M "$T/model-4"
for ((n = 1; ; n++)); do
	qcowctl snapshot --internal create disk "large$n"
	before=$(blockdev --getsize64 /dev/mapper/disk)
	killed $n qcowctl snapshot --internal apply disk "$last"
	go_on
	if [ "$(blockdev --getsize64 /dev/mapper/disk)" = "$before" ]; then
		same_as disk "$T/model"
	else
		same_as disk "$T/model-4"
	fi
	want "size" "$(blockdev --getsize64 /dev/mapper/disk)" "$(peek "$T/disk.qcow2" 24 8)"
	qcowctl snapshot --internal apply disk "large$n"
	same_as disk "$T/model"
	((RC != 120)) || break
done
((n > 3)) || fail "only $n steps"
checked disk "$T/disk.qcow2"
for tag in $(qemu-img snapshot -l "$T/disk.qcow2" | awk 'NR > 2 { print $2 }'); do
	qemu-img snapshot -d "$tag" "$T/disk.qcow2"
done
qcowctl attach "$T/disk.qcow2"
for ((n = 1; ; n++)); do
	qcowctl snapshot disk "$T/top$n"
	"$BIN/churn" /dev/mapper/disk "$T/model" $((5 + n)) 5 2
	# what a stream does here is the same
	killed $n qcowctl commit --base 1 disk
	go_on
	qcowctl job --wait disk >/dev/null || true
	same_as disk "$T/model"
	((RC != 120)) || break
done
((n > 2)) || fail "only $n steps"
mapfile -t chain < <(layers disk)
checked disk "${chain[@]:1}"
qemu-img compare -f qcow2 -F raw "${chain[-1]}" "$T/model" || fail "qemu-img reads something else"
