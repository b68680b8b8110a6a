# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: check -r all makes clean what qemu-img check -r all makes clean, and both leave the same disk; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/images.sh"

# disk FILE: what its disk reads, by what QEMU says of it
disk() { qemu-img convert -f qcow2 -O raw "$1" "$1.raw" 2>/dev/null && sha256sum <"$1.raw"; }

declare -A counts=()
for ((round = 0; round < ${IMAGES:-30}; round++)); do
	at="round $round of seed $SEED"
	rm -f image*
	make_image
	random 1000000; damage image "$R"
	cp image image.theirs
	cp image image.mine
	theirs=0 mine=0
	timeout 5 qemu-img check -q -r all -f qcow2 image.theirs >theirs 2>&1 || theirs=$?
	timeout 20 qcowctl check -r all -J image.mine >mine 2>mine.err || mine=$?
	if ((mine > 3)); then cat mine.err; fail "$at: status $mine"; fi
	after=0
	qemu-img check -q -f qcow2 image.mine >after 2>&1 || after=$?
	# what we say is left is what QEMU finds
	if ((mine != 1 && mine != after)); then head -n 5 mine.err after; fail "$at: $mine, but qemu-img says $after"; fi
	counts[$theirs/$mine]=$((${counts[$theirs/$mine]:-0} + 1))
	((theirs == 0 || theirs == 2)) || continue
	# QEMU 7.2 forgets the internal snapshots of an image with bitmaps that it repairs
	[ "$(peek image 60 4)" = "$(peek image.theirs 60 4)" ] || continue
	# QEMU's repair may say that all is well and be wrong
	again=0
	qemu-img check -q -f qcow2 image.theirs >again 2>&1 || again=$?
	((again == theirs)) || continue
	if ((mine > theirs)); then head -n 5 theirs mine.err; fail "$at: qemu-img ends with $theirs, and we with $mine"; fi
	if [ "$(disk image.theirs)" != "$(disk image.mine)" ]; then fail "$at: the disk is another"; fi
done
for pair in "${!counts[@]}"; do echo "qemu-img/qcowctl $pair: ${counts[$pair]}"; done
((${counts[0/0]:-0} > ${IMAGES:-30} / 8)) || fail "too few were mended"
