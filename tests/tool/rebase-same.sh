# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: rebase keeps what the disk shows and names what qemu-img rebase names, to none, from none, longer, shorter; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/mix.sh"

info() { qemu-img info -U --output=json "$1" | jq -S 'del(.filename, ."actual-size", ."full-backing-filename")'; }

# A base, another that is the same in parts, and one on top of the first.
random 6000; size1=$((R * 512 + 300000))
truncate -s $size1 raw1
qemu-io -f raw -c "write -q -P 1 0 200k" -c "write -q -P 2 250k 50k" raw1
qemu-img convert -f raw -O qcow2 raw1 base1
qemu-img create -q -f qcow2 -b base1 -F qcow2 over1 $size1
mix over1 $size1 65536 6
random 6000; size2=$((R * 512 + 300000))
truncate -s $size2 raw2
qemu-io -f raw -c "write -q -P 1 0 150k" -c "write -q -P 3 200k 100k" raw2
qemu-img convert -c -f raw -O qcow2 -o cluster_size=4k raw2 base2
mkdir -p sub
cp raw2 sub/a-file-with-a-much-longer-name

names=(raw1 base1 over1 raw2 base2 sub/a-file-with-a-much-longer-name '')
formats=(raw qcow2 qcow2 raw qcow2 raw '')
for ((round = 0; round < 18; round++)); do
	rm -f mine theirs
	options=${IMAGE_KINDS[round % ${#IMAGE_KINDS[@]}]}
	[[ $options != *preallocation* ]] || options=
	random 5000; size=$((R * 512 + 512))
	random ${#names[@]}
	at=$R
	below=()
	[ ! "${names[at]}" ] || below=(-b "${names[at]}" -F "${formats[at]}")
	qemu-img create -q -f qcow2 ${options:+-o "$options"} "${below[@]}" mine $size
	mix mine $size "$(qcowctl info -J mine | jq '."cluster-size"')" 6
	cp mine theirs
	qemu-img convert -O raw mine was
	for ((step = 0; step < 3; step++)); do
		random ${#names[@]}
		to=$R
		how=(-b "${names[to]}")
		[ ! "${names[to]}" ] || how+=(-F "${formats[to]}")
		qcowctl rebase "${how[@]}" mine
		qemu-img rebase -f qcow2 "${how[@]}" theirs
		qemu-img check -q mine || { qemu-img check mine; fail "round $round, seed $SEED"; }
		qemu-img compare -q -f raw -F qcow2 was mine || fail "round $round, step $step, seed $SEED: another disk"
		qemu-img compare -q theirs mine || fail "not QEMU's disk"
		diff <(info theirs) <(info mine) || fail "info"
		qcowctl check mine >/dev/null
	done
	# the header alone
	random 5
	qcowctl rebase -u -b "${names[R]}" -F "${formats[R]}" mine
	qemu-img rebase -u -f qcow2 -b "${names[R]}" -F "${formats[R]}" theirs
	diff <(info theirs) <(info mine) || fail "info after -u"
	qemu-img check -q mine || fail "check after -u"
	# and as large as can be, and back
	long=$(printf '%0500d' 0)
	qcowctl rebase -u -b "$long" -F raw mine 2>err && qemu-img rebase -u -f qcow2 -b "$long" -F raw theirs ||
		grep -q 'does not fit' err
	diff <(info theirs) <(info mine) || fail "info with a long name"
	qcowctl rebase -u -b "" mine
	qemu-img rebase -u -f qcow2 -b "" theirs
	diff <(info theirs) <(info mine) || fail "info without a name"
done

# Unknown extensions stay, and so does what is behind them.
qemu-img create -q -f qcow2 -b base1 -F qcow2 image
qcowctl rebase -u -b nowhere -F raw image
want "it need not be there" nowhere "$(qcowctl info -J image | jq -r '."backing-filename"')"
refused "nowhere" qcowctl rebase -b base2 -F qcow2 image
qcowctl rebase -u -b base1 -F qcow2 image
refused "nowhere" qcowctl rebase -b nowhere -F raw image
refused "own backing file" qcowctl rebase -b image -F qcow2 image
status 2 qcowctl rebase image
status 2 qcowctl rebase -b base2 image
status 2 qcowctl rebase -b '' -F raw image
status 2 qcowctl rebase -b nbd:x -F raw image
status 2 qcowctl rebase -b base2 -F vmdk image
qcowctl snapshot --internal create image s
refused "internal snapshots" qcowctl rebase -b base2 -F qcow2 image
qcowctl snapshot --internal delete image s
cp image before
chmod a-w before
refused "too long|1023" qcowctl rebase -u -b "$(printf '%01024d' 0)" -F raw image
cmp before image || fail "a refusal has changed the image"
