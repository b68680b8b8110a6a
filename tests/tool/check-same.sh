# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: check judges random images, most of them damaged, as qemu-img check does: same status, same counts; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/images.sh"

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
