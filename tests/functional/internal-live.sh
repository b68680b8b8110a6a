# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: internal snapshots of a device in use are those of qemu-img: each is one instant, kept while the disk goes on; apply wants the device for itself and restores the size; list reads while the device writes
# needs: vm 6.12 (6.1 7.2) timeout 600

listed() { qemu-img snapshot -U -l "$1" | awk 'NR > 2 { print $1, $2 }'; }
# no REGEX COMMAND...
no() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/said"
	want "status of $*" 1 $rc
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
}

for options in extended_l2=on,cluster_size=128k cluster_size=4k,refcount_bits=64; do
	rm -f "$T"/*
	truncate -s 6M "$T/base"
	fill "$T/base" 0 4M
	qemu-img create -q -f qcow2 ${options:+-o $options} -b base -F raw "$T/disk.qcow2"
	qcowctl attach "$T/disk.qcow2"
	want "no list" "[]" "$(qcowctl snapshot --internal list -J disk | jq -c .)"

	# what is there when nobody writes is what the snapshot has
	"$BIN/churn" /dev/mapper/disk "$T/model-1" 5 80 2
	run qcowctl snapshot --internal create disk 'state 1'
	"$BIN/churn" /dev/mapper/disk "$T/model-2" 6 80 2
	run qcowctl snapshot --internal create disk two >"$T/out"
	cat "$T/out"
	grep -qxE 'disk: paused for [0-9]+\.[0-9] ms' "$T/out" || fail "the pause is not told"
	# under load
	"$BIN/churn" /dev/mapper/disk "$T/model-3" 7 500 3 &
	churn=$!
	for i in 3 4 5; do
		qcowctl snapshot --internal create disk "busy$i"
		[ "$(qcowctl snapshot --internal list disk | tail -n +3 | wc -l)" = $i ] || fail "list under load"
	done
	qcowctl snapshot --internal delete disk busy4
	kill -0 $churn || fail "the load has ended too early"
	wait $churn || fail "churn"
	exec 5</dev/mapper/disk
	no 'is in use: open in bash' qcowctl snapshot --internal apply disk two
	exec 5<&-
	same_as disk "$T/model-3"
	want list "$(printf '%s\n' '1 state' '2 two' '3 busy3' '5 busy5')" "$(listed "$T/disk.qcow2")"
	want "list as qemu-img's" "$(qemu-img snapshot -U -l "$T/disk.qcow2")" "$(qcowctl snapshot --internal list /dev/mapper/disk)"
	no "no snapshot with the id or name 'nothing'" qcowctl snapshot --internal apply disk nothing
	no 'there is a snapshot of that name' qcowctl snapshot --internal create disk two
	no 'a snapshot has a name' qcowctl snapshot --internal create disk ''

	# another size, and back
	qcowctl resize disk 10M
	qcowctl snapshot --internal create disk larger
	qcowctl snapshot --internal apply disk two
	want "size of the device" $((6 << 20)) "$(blockdev --getsize64 /dev/mapper/disk)"
	same_as disk "$T/model-2"
	"$BIN/churn" /dev/mapper/disk "$T/model-4" 8 60 2
	qcowctl snapshot --internal apply disk larger
	want "size of the device" $((10 << 20)) "$(blockdev --getsize64 /dev/mapper/disk)"
	truncate -s 10M "$T/model-3"
	same_as disk "$T/model-3"
	qcowctl snapshot --internal apply disk 'state 1'
	same_as disk "$T/model-1"
	want "state" L--w "$(dmsetup info -c --noheadings -o attr disk)"
	qcowctl detach disk

	qemu-img check "$T/disk.qcow2" || fail "qemu-img check"
	qemu-img convert -f qcow2 -O raw -l "snapshot.name=two" "$T/disk.qcow2" "$T/raw"
	cmp "$T/raw" "$T/model-2" || fail "qemu-img reads something else from the snapshot"
	qemu-img snapshot -a two "$T/disk.qcow2"
	qemu-img compare -f qcow2 -F raw "$T/disk.qcow2" "$T/model-2" || fail "qemu-img cannot go back"
	for tag in 'state 1' two busy3 busy5 larger; do
		qemu-img snapshot -d "$tag" "$T/disk.qcow2"
	done
	qemu-img check "$T/disk.qcow2" || fail "qemu-img check without snapshots"
done

# each step that fails leaves the device in use
qcowctl attach "$T/disk.qcow2"
"$BIN/churn" /dev/mapper/disk "$T/model" 9 100 2
qcowctl snapshot --internal create disk keep
qcowctl resize disk 8M
for what in 'create disk new' 'apply disk keep'; do
	for ((n = 1; ; n++)); do
		rc=0
		# shellcheck disable=SC2086
		"$BIN/fail-ioctl" $n qcowctl snapshot --internal $what 2>"$T/said" || rc=$?
		cat "$T/said"
		want "state after call $n" L--w "$(dmsetup info -c --noheadings -o attr disk)"
		((rc != 120)) || break
		want "status" 1 $rc
		qcowctl snapshot --internal delete disk new 2>/dev/null || true
	done
	((n >= 4)) || fail "only $n steps"
done
same_as disk "$T/model"
qcowctl detach disk
qemu-img check "$T/disk.qcow2" || fail "qemu-img check"

# nothing inside of a raw image
truncate -s 1M "$T/raw"
qcowctl attach -r -f raw "$T/raw"
no 'raw image' qcowctl snapshot --internal list raw
qcowctl detach raw
