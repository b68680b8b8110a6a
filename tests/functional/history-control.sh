# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What history.sh asks of device-mapper by itself, back to back and many at once. Sourced.

# flips NAME: suspended and resumed back to back, with a job on
flips() {
	[ -n "${running[$1]:-}" ] || merge "$1"
	"$BIN/suspends" "$1" $((5 + RANDOM % 15)) "${noflush[@]}" || fail "seed $seed"
}

# link LAYER: the words by which another calls it its backing file
link() { echo "$1 $(format_of "$1")"; }

# messages NAME: of all kinds, by several senders at once, while the device is suspended and resumed
messages() {
	local name=$1 list n i j size words=('job cancel' 'job rate 100000' 'job rate 0' 'snapshot create hammer 1 2'
		'snapshot delete hammer') pid
	ended "$name"
	plain "$name"
	(($(layers "$name" | wc -l) > 2)) || external "$name"
	mapfile -t list < <(layers "$name")
	n=${#list[@]}
	size=$(($(blockdev --getsz /dev/mapper/"$name") + 128))
	words+=("resize $size" "stream ${list[-1]}")
	for _ in 1 2 3; do
		i=$((1 + RANDOM % (n - 1))) j=$((RANDOM % i))
		if ((i == n - 1 && j == i - 1)); then
			words+=("commit ${list[i]} ${list[j]} rate:3000")
		else
			words+=("commit ${list[i]} ${list[j]} $(link "${list[j]}") rate:3000")
		fi
		((i - j < 2)) || words+=("stream ${list[i]} ${list[j]} $(link "${list[j]}") rate:3000")
	done
	"$BIN/suspends" "$name" 10 "${noflush[@]}" &
	pid=$!
	"$BIN/senders" "$name" $RANDOM 3 40 "${words[@]}" || fail "seed $seed"
	wait $pid || fail "seed $seed"
	[ "$(status_of "$name" job)" = none ] || running[$name]='done cancelled'
	ended "$name"
	# what was taken is put right: the snapshot goes, and the device is as long as its image
	while qcowctl snapshot --internal delete "$name" hammer 2>/dev/null; do :; done
	[ "$(format_of "$(layers "$name" | tail -n 1)")" != qcow2 ] || run qcowctl resize "$name" $((size * 512))
}
