# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: headers and tables with random damage never crash a verb, which ends with a status it may have; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"

qemu-img create -q -f qcow2 -o cluster_size=4k base 1M
qemu-io -f qcow2 -c 'write -q 0 64k' -c 'write -q -c 128k 4k' base
qemu-img snapshot -c s base
qemu-img bitmap --add base b
qemu-img create -q -f qcow2 -o cluster_size=16k,extended_l2=on -b base -F qcow2 top
qemu-io -f qcow2 -c 'write -q 4k 64k' top
for ((round = 0; round < ${IMAGES:-30}; round++)); do
	for what in base top; do
		cp $what broken
		random 1000000
		where=()
		((R & 1)) || where=(header)
		damage broken "$R" "${where[@]}"
		for verb in info 'info --chain -J' 'check' 'check --memory 4K' map 'map -J' 'attach -r --print-table'; do
			got=0
			# shellcheck disable=SC2086
			timeout 60 qcowctl $verb broken >out 2>err || got=$?
			case $verb:$got in
			*:0 | *:1 | check*:2 | check*:3 | check*:63) ;;
			*) cat err; fail "round $round of seed $SEED, $what, $verb: status $got" ;;
			esac
			((got == 0)) || [ -s err ] || fail "round $round of seed $SEED, $what, $verb: failed without a word"
		done
	done
done
