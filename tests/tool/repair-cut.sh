# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a repair cut at any moment leaves no image worse than it was, and the next repair finishes it; SEED replays
# needs: compiler, qemu-utils; timeout 600
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/images.sh"

# dangers IMAGE: what endangers data: clusters with more references than refcount says, and those of them that are not
# marked as their owner's own, so that a write would drop a reference. Sets STATUS, that of the check.
dangers() {
	local bits entry cluster
	bits=$(peek "$1" 20 4)
	STATUS=0
	timeout 10 qcowctl check "$1" >/dev/null 2>err || STATUS=$?
	sed -n 's/^ERROR cluster \([0-9]*\) .*/\1/p' err >low
	while read -r entry; do
		cluster=$(((0x$entry & 0xfffffffffffe00) >> bits))
		if grep -qx $cluster low; then echo "$cluster without COPIED" >>low; fi
	done < <(sed -n 's/^ERROR: L[12] entry 0x\([0-9a-f]*\) has COPIED clear.*/\1/p' err)
	sort -u low
}
# convert IMAGE disk|snapshot RAW: what it reads; fails, without RAW, if not all of it can be read
convert() {
	local which=()
	[ "$2" = disk ] || which=(-l snapshot)
	qemu-img convert "${which[@]}" -f qcow2 -O raw "$1" "$3" 2>/dev/null || { rm -f "$3"; return 1; }
}
# readings A: keeps what can be read of its disk and its snapshot, for same
readings() {
	local what
	for what in disk snapshot; do
		convert "$1" $what "$1.$what" || true
	done
}
# same A B: what could be read of the disk and the snapshot of A reads the same in B
same() {
	local what
	for what in disk snapshot; do
		[ -e "$1.$what" ] || continue
		convert "$2" $what raw && cmp -s "$1.$what" raw || return 1
	done
}

cuts=0 images=0
# cut_repairs NAME: of the file image
cut_repairs() {
	local before whole=0 flush cut at got
	cp image image.whole
	timeout 10 qcowctl check -r all image.whole >/dev/null 2>&1 || whole=$?
	dangers image >dangers.before
	before=$STATUS
	((before < 4 && whole != 1)) || return 0
	# where the header is taken for a table, a new place of the refcount table is a new reference
	! grep -q '^ERROR cluster 0 .* reference=[^1]' err || return 0
	images=$((images + 1))
	readings image
	readings image.whole
	for ((flush = 0; flush < 12; flush++)); do
		for ((cut = 0; cut < ${CUTS:-2}; cut++)); do
			at="$1, flush $flush, cut $cut"
			cp image image.cut
			got=0
			CUT="$flush $((images * 1000 + cut))" qcowctl-cut check -r all image.cut >out 2>&1 || got=$?
			((got == 77)) || return 0 # it had come to its end
			cuts=$((cuts + 1))
			dangers image.cut >dangers
			((STATUS != 1 || before == 1)) || { cat err; fail "$at: it cannot be checked"; }
			if ((before > 1)) && comm -13 dangers.before dangers | grep .; then
				fail "$at: this was not so before"
			fi
			same image image.cut || fail "$at: the disk is another"
			got=0
			qcowctl check -r all image.cut >out 2>err || got=$?
			((got == whole)) || { cat err; fail "$at: repaired again it is $got, not $whole"; }
			same image.whole image.cut || fail "$at: repaired, the disk is another"
		done
	done
}

for how in $BREAKS; do
	break_image "$how"
	cut_repairs "$how"
done
for ((round = 0; round < ${IMAGES:-8}; round++)); do
	rm -f image*
	make_image
	random 1000000; damage image "$R"
	cut_repairs "round $round of seed $SEED"
done
echo "$cuts cuts in repairs of $images images"
((images >= 20 && cuts > 4 * images)) || fail "too little was cut"
