# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: resize leaves the disk as qemu-img resize does, new bytes are zeroes over backing files of any length; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/mix.sh"

info() { qemu-img info --output=json "$1" | jq -S 'del(.filename, ."actual-size", ."full-backing-filename", .snapshots)'; }

refusals=0
for ((round = 0; round < 18; round++)); do
	rm -f mine theirs base
	options=${IMAGE_KINDS[round % ${#IMAGE_KINDS[@]}]}
	random 4000; size=$((R * 512 + 512))
	below=()
	if ((round % 3)) && [[ $options != *preallocation* ]]; then
		random 8000; truncate -s $((R * 512 + 512)) base
		qemu-io -f raw -c "write -q -P 77 0 $((R * 512 + 512))" base
		below=(-b base -F raw)
	fi
	qemu-img create -q -f qcow2 ${options:+-o "$options"} "${below[@]}" mine $size
	cluster=$(qcowctl info -J mine | jq '."cluster-size"')
	mix mine $size "$cluster" 8
	cp mine theirs
	for ((step = 0; step < 7; step++)); do
		keep=$RANDOM
		RANDOM=$keep; mix mine $size "$cluster" 3
		RANDOM=$keep; mix theirs $size "$cluster" 3
		random 8000; new=$((R * 512 + 512))
		if ((step == 3)); then
			qcowctl snapshot --internal create mine s
			qemu-img snapshot -c s theirs
		fi
		if ! qemu-img resize -q --shrink -f qcow2 theirs $new 2>log; then
			# version 2 cannot: neither can we
			refused "" qcowctl resize --shrink mine $new
			refusals=$((refusals + 1))
		else
			if ((new < size)); then
				refused "--shrink does it" qcowctl resize mine $new
			fi
			random 2
			if ((R && new > size)); then
				qcowctl resize mine +$((new - size))
			elif ((R && new < size)); then
				qcowctl resize --shrink mine -$((size - new))
			else
				qcowctl resize --shrink mine $new
			fi
			((new <= size)) || want "new bytes" "" "$(qemu-io -r -f qcow2 -c "read -q -P 0 $size $((new - size))" mine)"
			# QEMU shows again what a smaller disk had cut off in its last cluster, and we do not
			((new <= size || size % cluster == 0)) || qemu-io -f qcow2 -c \
				"write -q -z $size $((size / cluster * cluster + cluster > new ? new - size : cluster - size % cluster))" \
				theirs
			size=$new
		fi
		qemu-img check -q mine || { qemu-img check mine; fail "round $round, seed $SEED"; }
		qemu-img compare -q mine theirs || fail "round $round, step $step, seed $SEED: another disk"
		diff <(info theirs) <(info mine) || fail "info"
	done
done
((refusals)) || fail "nothing was refused"

qcowctl create image 1M
status 2 qcowctl resize image 1X
status 2 qcowctl resize image
refused "no possible size" qcowctl resize --shrink image -1M
refused "no possible size" qcowctl resize --shrink image 0
refused "too large" qcowctl resize image 4E
status 0 qcowctl resize image 1M
status 0 qcowctl resize image -- +1M
want "size" $((2 << 20)) "$(qcowctl info -J image | jq '."virtual-size"')"
