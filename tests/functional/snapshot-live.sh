# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: external snapshots under load: nothing is lost, what was the top is not written any more, a mounted file system is in it clean; the pause is told; what cannot be is refused in a sentence and leaves nothing
# needs: vm 6.12 (6.1 7.2) timeout 600

# no REGEX COMMAND...: fails with 1 and one sentence that matches
no() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	want "status of $*" 1 $rc
	cat "$T/said"
	want "sentences of $*" 1 "$(wc -l <"$T/said")"
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
}

mkdir "$T/other dir"
truncate -s 24M "$T/base"
fill "$T/base" 0 8M
qcowctl create -b base -F raw "$T/disk.qcow2"
qcowctl attach --map-limit 1M "$T/disk.qcow2"
"$BIN/churn" /dev/mapper/disk "$T/model" 4 1500 4 &
churn=$!
qcowctl snapshot disk "$T/one.qcow2" >"$T/out"
cat "$T/out"
grep -qxE "disk: writes to $T/one.qcow2 now, paused for [0-9]+\.[0-9] ms" "$T/out" || fail "the pause is not told"
sum=$(sha256sum <"$T/disk.qcow2")
run qcowctl snapshot disk "$T/other dir/two %41.qcow2"
run qcowctl snapshot -o extended_l2=off,cluster_size=64k disk "$T/three.qcow2"
kill -0 $churn || fail "the load has ended too early"
want chain "base disk.qcow2 one.qcow2 other dir/two %41.qcow2 three.qcow2" "$(chain_of disk)"
[[ $(dmsetup table disk) == *' 1 map_limit:1024' ]] || fail "options: $(dmsetup table disk)"
want "names of the backing files" "base disk.qcow2 $T/one.qcow2 $T/other dir/two %41.qcow2" \
	"$(for image in disk.qcow2 one.qcow2 "other dir/two %41.qcow2" three.qcow2; do
		qemu-img info -U --output=json "$T/$image" | jq -r '."backing-filename"'
	done | xargs)"
want "a layer below is written" "$sum" "$(sha256sum <"$T/disk.qcow2")"
want "cluster size by -o" 65536 "$(qemu-img info -U --output=json "$T/three.qcow2" | jq '."cluster-size"')"

# refused, and nothing is left of it
table=$(dmsetup table disk)
there() { find "$T" | grep -vE '/(model|out|said|before)$' | sort; }
there >"$T/before"
no 'exists already' qcowctl snapshot disk "$T/one.qcow2"
no 'No such file' qcowctl snapshot disk "$T/nowhere/new"
no 'there is no device' qcowctl snapshot nodisk "$T/new"
no 'named twice' qcowctl snapshot disk "$T/new" /dev/mapper/disk "$T/new2"
exec 7<>"/run/qcowctl/$(cat /sys/block/dm-*/dm/../dev)"
flock 7
no 'disk: another qcowctl works on the device' qcowctl snapshot disk "$T/new"
no 'disk: another qcowctl works on the device' qcowctl resize disk +1M
no 'disk: another qcowctl works on the device' qcowctl commit disk
no 'disk: another qcowctl works on the device' qcowctl snapshot --internal create disk tag
no 'disk: another qcowctl works on the device' qcowctl detach disk
exec 7>&-
dmsetup load disk --table "$table"
no 'second table' qcowctl snapshot disk "$T/new"
dmsetup clear disk
wait $churn || fail "churn"
dmsetup suspend disk
no 'is suspended' qcowctl snapshot disk "$T/new"
dmsetup resume disk
there | diff - "$T/before" || fail "something is left behind"
want "table" "$table" "$(dmsetup table disk)"

same_as disk "$T/model"
qcowctl detach disk
qcowctl attach -r --allow "$T/other dir" "$T/three.qcow2" -n again
same_as again "$T/model"
no 'for reading only' qcowctl snapshot again "$T/new"
qcowctl detach again
for image in disk.qcow2 one.qcow2 "other dir/two %41.qcow2" three.qcow2; do
	qemu-img check -q "$T/$image" || fail "qemu-img check $image"
done
want "layers by qemu-img" 5 "$(qemu-img info --backing-chain --output=json "$T/three.qcow2" | jq length)"
qemu-img compare -f qcow2 -F raw "$T/three.qcow2" "$T/model" || fail "qemu-img reads something else"

# a file system on it is frozen, so the snapshot holds it as if it had been unmounted
mnt=$T/mnt
mkdir "$mnt"
qcowctl create "$T/fs.qcow2" 128M
qcowctl attach "$T/fs.qcow2"
mkfs.ext4 -q /dev/mapper/fs
mount /dev/mapper/fs "$mnt"
no 'would lie on fs itself' qcowctl snapshot fs "$mnt/new"
# what is suspended cannot be written to by what lies on it
qcowctl create "$mnt/upper.qcow2" 1M
qcowctl attach "$mnt/upper.qcow2"
no 'lies on fs: take their snapshots one after the other' qcowctl snapshot upper "$T/new" fs "$T/new2"
no 'would lie on fs, which is to be suspended' qcowctl snapshot fs "$T/new" upper "$mnt/new"
run qcowctl snapshot upper "$T/new"
qcowctl detach upper
rm "$T/new" "$mnt/upper.qcow2"
(for i in $(seq 1000); do echo "$i" >"$mnt/$i" || exit 1; done) &
writer=$!
sleep 0.3
run qcowctl snapshot fs "$T/fs-2.qcow2"
wait $writer
umount "$mnt"
qcowctl detach fs
expected qcow2 "$T/fs.qcow2" "$T/raw"
grep -q needs_recovery <<<"$(dumpe2fs -h "$T/raw" 2>/dev/null)" && fail "the file system in the snapshot was not frozen"
e2fsck -fn "$T/raw" || fail "e2fsck of the snapshot"
expected qcow2 "$T/fs-2.qcow2" "$T/raw"
e2fsck -fn "$T/raw" || fail "e2fsck of the top"

# an overlay on a block device; a file system without a device number of its own
pool lower $((256 << 20))
qcowctl create "$T/fs.qcow2" 128M
qcowctl attach "$T/fs.qcow2"
mkfs.btrfs -q /dev/mapper/fs
mount /dev/mapper/fs "$mnt"
no 'would lie on fs itself' qcowctl snapshot fs "$mnt/new"
"$BIN/stamp" 1 $((8 << 20)) >"$mnt/file"
run qcowctl snapshot fs /dev/mapper/lower
no '/dev/mapper/lower is in use' qcowctl snapshot fs /dev/mapper/lower
"$BIN/stamp" 2 $((8 << 20)) | dd of="$mnt/file2" bs=1M iflag=fullblock conv=fsync status=none
umount "$mnt"
dd if=/dev/mapper/fs of="$T/raw" bs=1M iflag=direct status=none
qcowctl detach fs
qemu-img check -q /dev/mapper/lower || fail "qemu-img check of the block device"
qemu-img compare -f qcow2 -F raw /dev/mapper/lower "$T/raw" || fail "qemu-img reads something else"
detach lower
