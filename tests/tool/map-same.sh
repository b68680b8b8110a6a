# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: map says what qemu-img map says, of random chains of random images of all kinds; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"

# mix IMAGE SIZE CLUSTER: random writes of all kinds
mix() {
	local i commands=() start len
	for ((i = 0; i < 8; i++)); do
		random $(($2 / 512)); start=$((R * 512))
		random 400; len=$((R * 512 + 512))
		((start + len <= $2)) || continue
		random 5
		case $R in
		0) commands+=(-c "write -q -z $start $len") ;;
		1) commands+=(-c "write -q -z -u $start $len") ;;
		2) commands+=(-c "discard -q $start $len") ;;
		3) ((start / $3 * $3 + $3 > $2)) || commands+=(-c "write -q -c $((start / $3 * $3)) $3") ;;
		*) commands+=(-c "write -q $start $len") ;;
		esac
	done
	((${#commands[@]} == 0)) || qemu-io -f qcow2 "${commands[@]}" "$1" >/dev/null || true
}

kinds=('' compat=0.10 extended_l2=on preallocation=metadata,cluster_size=4k preallocation=falloc cluster_size=512 \
	extended_l2=on,cluster_size=16k cluster_size=2M compression_type=zstd)
for ((round = 0; round < 30; round++)); do
	rm -f base image-*
	below=base format=raw
	random 5000000; truncate -s $((R + 1)) base
	qemu-io -f raw -c 'write -q 0 10k' base 2>/dev/null || true
	random 4
	for ((depth = 0; depth <= R; depth++)); do
		keep=$R
		random ${#kinds[@]}; options=${kinds[R]}
		random 10000; size=$((R * 512 + 512))
		[[ $options != *preallocation* ]] || { format='' below=''; }
		random 5; ((R)) || { format='' below=''; }
		qemu-img create -q -f qcow2 ${options:+-o "$options"} ${below:+-b "$below" -F "$format"} image-$depth $size
		mix image-$depth $size "$(qcowctl info -J image-$depth | jq '."cluster-size"')"
		below=image-$depth format=qcow2 R=$keep
	done
	qcowctl map -J "$below" | jq -c '.[] | del(.filename, .compressed)' >mine
	qemu-img map --output=json "$below" | jq -c '.[]' >theirs
	diff theirs mine || { qcowctl info --chain "$below"; fail "round $round of seed $SEED"; }
	if qemu-img map "$below" >theirs 2>/dev/null; then
		qcowctl map "$below" | sed "s#$T/##" >mine
		diff theirs mine || fail "text, round $round of seed $SEED"
	fi
done

truncate -s 1000001 base
qcowctl map -J -f raw base | jq -c '.[] | del(.filename, .compressed)' >mine
qemu-img map -f raw --output=json base | jq -c '.[]' >theirs
diff theirs mine || fail raw
qcowctl create empty 0
want "of a disk of no bytes" '[]' "$(qcowctl map -J empty)"
