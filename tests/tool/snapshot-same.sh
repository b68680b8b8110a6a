# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: snapshot --internal leaves the disk, the list and every snapshot as qemu-img snapshot does, image by image; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/mix.sh"

listed() { qemu-img snapshot -l "$1" | awk 'NR > 2 { print $1, $2, $3 }'; }

# both IMAGE WHAT [TAG]: by us on mine, by qemu-img on theirs, with the same result
both() {
	local flag
	case $1 in create) flag=-c ;; apply) flag=-a ;; delete) flag=-d ;; esac
	qcowctl snapshot --internal "$1" mine "$2"
	qemu-img snapshot "$flag" "$2" theirs
	qemu-img check -q mine || { qemu-img check mine; fail "$1 $2"; }
	qemu-img compare -q mine theirs || fail "$1 $2: another disk"
	want "$1 $2: list" "$(listed theirs)" "$(listed mine)"
	want "$1 $2: our list" "$(qemu-img snapshot -l mine)" "$(qcowctl snapshot --internal list mine)"
}

# every snapshot shows the same
same_snapshots() {
	local id
	for id in $(listed mine | cut -d ' ' -f 1); do
		qemu-img convert -f qcow2 -O raw -l "snapshot.id=$id" mine a
		qemu-img convert -f qcow2 -O raw -l "snapshot.id=$id" theirs b
		cmp a b || fail "snapshot $id of seed $SEED shows something else"
	done
}

for ((round = 0; round < 10; round++)); do
	rm -f mine theirs base
	options=${IMAGE_KINDS[round % ${#IMAGE_KINDS[@]}]}
	random 6000; size=$((R * 512 + 512))
	below=()
	if ((round % 3 == 1)) && [[ $options != *preallocation* ]]; then
		random 5000000; truncate -s $((R + 512)) base
		qemu-io -f raw -c "write -q -P 77 0 $((R / 512 * 512 + 512))" base
		below=(-b base -F raw)
	fi
	qemu-img create -q -f qcow2 ${options:+-o "$options"} "${below[@]}" mine $size
	cluster=$(qcowctl info -J mine | jq '."cluster-size"')
	mix mine $size "$cluster" 8
	cp mine theirs
	names=()
	for ((step = 0; step < 8; step++)); do
		random 10
		if ((${#names[@]} == 0 || R < 5)); then
			names+=("s$step")
			both create "s$step"
		elif ((R < 7)); then
			random ${#names[@]}
			both apply "${names[R]}"
		else
			random ${#names[@]}
			both delete "${names[R]}"
			names=("${names[@]:0:R}" "${names[@]:R+1}")
		fi
		keep=$RANDOM
		RANDOM=$keep; mix mine $size "$cluster" 4
		RANDOM=$keep; mix theirs $size "$cluster" 4
	done
	same_snapshots
	while ((${#names[@]})); do
		both delete "${names[0]}"
		names=("${names[@]:1}")
	done
done

# the id comes before the name; nothing, twice, too long
qcowctl create image 1M
qcowctl snapshot --internal create image 2
qcowctl snapshot --internal create image one
refused "no snapshot with the id or name 'three'" qcowctl snapshot --internal apply image three
refused "there is a snapshot of that name \(id 2\)" qcowctl snapshot --internal create image one
refused "255 bytes" qcowctl snapshot --internal create image "$(printf '%0256d' 0)"
refused "needs a name" qcowctl snapshot --internal create image ""
qcowctl snapshot --internal delete image 2
want "id first" 2 "$(qcowctl snapshot --internal list -J image | jq -r '.[].name')"
want "no list" "" "$(qcowctl create empty 1M && qcowctl snapshot --internal list empty)"
want "no list" "[]" "$(qcowctl snapshot --internal list -J empty | jq -c .)"
status 2 qcowctl snapshot --internal create image
status 2 qcowctl snapshot --internal list image one
status 2 qcowctl snapshot --internal nonsense image one
status 2 qcowctl snapshot create image one

# refcounts of one bit hold no second reference: refused, and not a byte is another
qemu-img create -q -f qcow2 -o refcount_bits=1 narrow 1M
qcowctl snapshot --internal create narrow empty
qcowctl snapshot --internal delete narrow empty
qemu-io -f qcow2 -c 'write -q 0 64k' narrow
cp narrow before
refused "refcounts of 1 bits hold no more" qcowctl snapshot --internal create narrow s
cmp narrow before || fail "a refusal has changed the image"

# an image in use
mkfifo in
qemu-io -f qcow2 image <in >log 2>&1 &
exec 5>in
echo 'read 0 512' >&5
until grep -q '512 bytes' log; do sleep 0.05; done
refused "image is in use" qcowctl snapshot --internal create image used
refused "image is in use" qcowctl snapshot --internal list image
status 0 qcowctl snapshot --internal list -U image
refused "image is in use" qcowctl resize image 2M
echo quit >&5
exec 5>&-
wait
