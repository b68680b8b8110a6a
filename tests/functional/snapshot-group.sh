# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: snapshots of several devices are one instant, and all or none: whatever step fails, no overlay, no second table and no suspended device is left, and the disks go on
# needs: vm 6.12 (6.1 7.2) timeout 600

# how_many NAME: layers
how_many() {
	local list
	mapfile -t list < <(layers "$1")
	echo ${#list[@]}
}
# number_in IMAGE: what pairs wrote to the first sector of the disk
number_in() {
	qemu-img convert -f qcow2 -O raw "$1" "$T/raw"
	od -A n -t u8 -N 8 "$T/raw" | xargs
}

for name in a b c; do
	qcowctl create "$T/$name.qcow2" 16M
	qcowctl attach "$T/$name.qcow2"
done

# one instant, again and again
"$BIN/pairs" /dev/mapper/{a,b,c} &
pairs=$!
rounds=5
for ((i = 1; i <= rounds; i++)); do
	sleep 0.2
	run qcowctl snapshot a "$T/a-$i" b "$T/b-$i" c "$T/c-$i"
done
kill -TERM $pairs
wait $pairs || fail "pairs"
for name in a b c; do
	want "layers of $name" $((rounds + 1)) "$(how_many $name)"
	qcowctl detach $name
done
last=0
for ((i = 0; i <= rounds; i++)); do
	suffix=-$i
	((i)) || suffix=.qcow2
	a=$(number_in "$T/a$suffix") b=$(number_in "$T/b$suffix") c=$(number_in "$T/c$suffix")
	echo "$a $b $c"
	((a >= b && b >= c && c + 1 >= a)) || fail "snapshot $i is not one instant"
	((a > last)) || fail "nothing was written between snapshots"
	last=$a
	for name in a b c; do
		qemu-img check -q "$T/$name$suffix" || fail "qemu-img check of $name$suffix"
	done
done

# -- all or none

rm "$T"/*
declare -A churn
for name in a b; do
	qcowctl create "$T/$name.qcow2" 16M
	qcowctl attach "$T/$name.qcow2"
	"$BIN/churn" /dev/mapper/$name "$T/model-$name" 3 1000000 2 20000 &
	churn[$name]=$!
done
# goes_on NAME...: not suspended, without a second table, and still written
goes_on() {
	local name
	for name; do
		want "state of $name" L--w "$(dmsetup info -c --noheadings -o attr "$name")"
		timeout 60 dd if=/dev/mapper/"$name" of=/dev/null bs=4k count=1 iflag=direct status=none || fail "$name does not read"
		kill -0 "${churn[$name]}" || fail "the load on $name has ended"
	done
}
# untouched NAME...: as before, and nothing is left of the try
untouched() {
	local name
	goes_on "$@"
	for name; do
		want "layers of $name" 1 "$(how_many "$name")"
	done
	[ -z "$(find "$T" -name 'new-*' -o -name '.qcowctl*')" ] || fail "left behind: $(find "$T" -name 'new-*' -o -name '.qcowctl*')"
}
# none REGEX COMMAND...
none() {
	local regex=$1 rc=0
	shift
	"$@" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/out" "$T/said"
	want "status of $*" 1 $rc
	grep -qE -- "$regex" "$T/said" || fail "it does not say '$regex': $*"
	untouched a b
}
none 'No such file' qcowctl snapshot a "$T/new-a" b "$T/nowhere/new-b"
none 'exists already' qcowctl snapshot a "$T/new-a" b "$T/new-a"
none 'exists already' qcowctl snapshot a "$T/new-a" b "$T/a.qcow2"
qcowctl create "$T/ro.qcow2" 1M
qcowctl attach -r "$T/ro.qcow2"
none 'for reading only' qcowctl snapshot a "$T/new-a" ro "$T/new-b"
qcowctl detach ro

# the kernel refuses the second table: its clusters are smaller than the blocks below
truncate -s 32M "$T/disk.img"
loop=$(losetup -f --show -b 4096 "$T/disk.img")
mkfs.ext4 -q -F -b 4096 "$loop"
mkdir "$T/small"
mount "$loop" "$T/small"
none 'b: the kernel refused it: ' qcowctl snapshot -o cluster_size=1k a "$T/new-a" b "$T/small/new-b"

# a signal comes while the second overlay is made
fsfreeze -f "$T/small"
qcowctl snapshot a "$T/new-a" b "$T/small/new-b" >"$T/out" 2>"$T/said" &
pid=$!
until [ -s "$T/new-a" ]; do sleep 0.1; done
sleep 0.5
kill -TERM $pid
sleep 0.2
fsfreeze -u "$T/small"
rc=0
wait $pid || rc=$?
cat "$T/out" "$T/said"
((rc)) || fail "the signal was lost"
untouched a b

# each step fails once
for ((n = 1; ; n++)); do
	rc=0
	"$BIN/fail-ioctl" $n qcowctl snapshot a "$T/new-a" b "$T/new-b" >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/out" "$T/said"
	((rc != 120)) || break
	step=$(sed -n 's/^fail-ioctl: //p' "$T/said")
	want "status when $step, call $n, fails" 1 $rc
	grep -q '^qcowctl: ' "$T/said" || fail "no sentence when $step, call $n, fails"
	if [ -s "$T/out" ]; then
		# a had gone on already
		want "the step that may do half" "suspend or resume" "$step"
		want "layers of a" 2 "$(how_many a)"
		want "layers of b" 1 "$(how_many b)"
		halves=$((${halves:-0} + 1))
		[ ! -e "$T/new-b" ] || fail "an overlay that nobody uses is left"
		goes_on a b
		qcowctl commit a
		rm "$T/new-a"
	else
		untouched a b
	fi
done
want "steps" 7 $n
want "steps that leave half" 1 "${halves:-0}"
want "layers" "2 2" "$(how_many a) $(how_many b)"
goes_on a b
kill "${churn[@]}"
wait "${churn[@]}" || true
qcowctl detach a b
umount "$T/small"
losetup -d "$loop"
for image in a.qcow2 b.qcow2 new-a new-b; do
	qemu-img check -q "$T/$image" || fail "qemu-img check of $image"
done
