# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Random chains, sourced by tests that merge them; after lib.sh and mix.sh.

# A kind for a layer, never one with preallocation: those hide what is below.
random_kind() {
	KIND=preallocation
	while [[ $KIND == *preallocation* ]]; do
		random ${#IMAGE_KINDS[@]}
		KIND=${IMAGE_KINDS[R]}
	done
}

# make_layer FILE SIZE OPTION...: of the kind KIND. Now and then QEMU 7.2 makes of compressed writes an image that it finds
# broken itself, or cannot read: again, then.
make_layer() {
	local file=$1 size=$2 sound=0
	shift 2
	while ((!sound)); do
		qemu-img create -q -f qcow2 ${KIND:+-o "$KIND"} "$@" "$file" "$size"
		mix "$file" "$size" "$(qemu-img info --output=json "$file" | jq '."cluster-size"')" 6
		! qemu-img check -q "$file" 2>/dev/null || ! qemu-img convert -O raw "$file" "$file.was" 2>/dev/null || sound=1
		rm -f "$file.was"
	done
}

# make_chain DIR N: layers l0 .. lN of any kind and size, each with some of everything. FORMAT is that of l0.
make_chain() {
	local i size below
	mkdir -p "$1"
	random 4000; size=$((R * 512 + 100 * 512))
	random 3
	case $R in
	0)
		FORMAT=raw
		random 511
		truncate -s $((size + R)) "$1/l0"
		random $((size / 1024)); qemu-io -f raw -c "write -q -P 111 $((R * 512)) $((size / 2))" "$1/l0" ;;
	1)
		FORMAT=qcow2
		truncate -s $size "$1/raw"
		random $((size / 1024)); qemu-io -f raw -c "write -q -P 112 $((R * 512)) $((size / 2))" "$1/raw"
		random_kind
		qemu-img convert -c -f raw -O qcow2 ${KIND:+-o "$KIND"} "$1/raw" "$1/l0"
		rm "$1/raw" ;;
	*)
		FORMAT=qcow2
		random_kind
		make_layer "$1/l0" $size ;;
	esac
	for ((i = 1; i <= $2; i++)); do
		random 4000; size=$((R * 512 + 100 * 512))
		random_kind
		below=qcow2
		((i > 1)) || below=$FORMAT
		make_layer "$1/l$i" $size -b "l$((i - 1))" -F "$below"
	done
}

# format_of FILE: of a layer, or of a raw copy of what one showed
format_of() {
	case ${1##*/} in
	l0) echo "$FORMAT" ;;
	was*) echo raw ;;
	*) echo qcow2 ;;
	esac
}

# sound DIR: every image of the chain
sound() {
	local file
	for file in "$1"/l*; do
		[ "$(format_of "$file")" = raw ] || qemu-img check -q "$file" || {
			qemu-img check "$file"
			fail "$file, seed $SEED"
		}
	done
}

# same_disk WHAT A B: two layers or their copies show the same, QEMU says so
same_disk() {
	qemu-img compare -f "$(format_of "$2")" -F "$(format_of "$3")" "$2" "$3" >differs 2>&1 || fail "$1, seed $SEED: $(cat differs)"
}

# chain_names FILE: file and format of each backing file
chain_names() {
	qemu-img info --backing-chain --output=json "$1" |
		jq -c '.[] | [."backing-filename", ."backing-filename-format", ."virtual-size"]'
}
