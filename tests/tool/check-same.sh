# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: check judges random images, most of them damaged, as qemu-img check does: same status, same counts; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"

make_image() {
	local options cluster size commands=() i start bits
	random 5
	((R)) && options=compat=1.1 || options=compat=0.10
	random 6
	cluster=$((1 << (9 + R + (R > 3))))
	if [ $options = compat=1.1 ]; then
		random 7; bits=$((1 << R)); options+=,refcount_bits=$bits
		random 3; ((R || cluster < 16384)) || options+=,extended_l2=on
		random 4; ((R)) || options+=,lazy_refcounts=on
		random 4; ((R)) || options+=,compression_type=zstd
	fi
	random 4000; size=$((R * 1024 + 1024))
	qemu-img create -q -f qcow2 -o $options,cluster_size=$cluster image $size
	for ((i = 0; i < 6; i++)); do
		random $((size / 512)); start=$((R * 512))
		random 6
		case $R in
		0) commands+=(-c "write -q -z $start 512") ;;
		1) commands+=(-c "discard -q $start 512") ;;
		2) ((start / cluster * cluster + cluster > size)) || commands+=(-c "write -q -c $((start / cluster * cluster)) $cluster") ;;
		*) ((start + 65536 > size)) || commands+=(-c "write -q $start 65536") ;;
		esac
	done
	((${#commands[@]} == 0)) || qemu-io -f qcow2 "${commands[@]}" image >/dev/null || true
	random 2
	if ((R)) && [ "${bits:-16}" != 1 ]; then
		qemu-img snapshot -c snapshot image 2>/dev/null || true
		qemu-io -f qcow2 -c 'write -q 0 512' image || true
	fi
	random 3
	((R)) || [[ $options == compat=0.10* ]] || qemu-img bitmap --add image bitmap 2>/dev/null || true
}

counts=()
for ((round = 0; round < ${IMAGES:-90}; round++)); do
	rm -f image
	make_image
	random 5
	if ((R)); then
		random 1000000; damage image "$R"
	fi
	random 20
	if ((R == 0)); then
		random "$(stat -c %s image)"; truncate -s $((R + 1024)) image
	fi
	theirs=0 mine=0 memory=()
	random 2
	((R)) || memory=(--memory 4K)
	qemu-img check -f qcow2 --output=json image >theirs 2>theirs.err || theirs=$?
	qcowctl check "${memory[@]}" -J image >mine 2>mine.err || mine=$?
	if [ $theirs != $mine ]; then
		head -n 5 theirs.err mine.err
		fail "round $round of seed $SEED: qemu-img $theirs, qcowctl $mine"
	fi
	counts[theirs]=$((${counts[theirs]:-0} + 1))
	((theirs == 1)) || same_json "round $round of seed $SEED" theirs mine
done
for status in "${!counts[@]}"; do echo "status $status: ${counts[status]}"; done
((${counts[0]:-0} && ${counts[2]:-0} && ${counts[3]:-0})) || fail "some outcomes never came"
