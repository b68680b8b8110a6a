# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: what check -r leaks and -r all mend, one kind of damage at a time: status of qemu-img check -r, and then clean
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"
. "$TOP/tests/tool/images.sh"

# both HOW LEVEL: sets MINE and THEIRS, the statuses; image.mine and image.theirs are the repaired
both() {
	THEIRS=0 MINE=0
	cp image image.theirs
	cp image image.mine
	timeout 10 qemu-img check -r "$2" -f qcow2 image.theirs >theirs 2>theirs.err || THEIRS=$?
	timeout 10 qcowctl check -r "$2" image.mine >mine 2>mine.err || MINE=$?
}
# disk IMAGE
disk() { qemu-img convert -f qcow2 -O raw "$1" raw && sha256sum <raw; }

for how in $BREAKS; do
	break_image "$how"
	both "$how" all
	case $how in
	reserved | beyond) want "$how: status" 2/2 "$MINE/$THEIRS" ;;
	# QEMU gives up where it meets such a block
	block-unaligned | block-reserved) want "$how: status" 0 "$MINE" ;;
	*) want "$how: status" 0/0 "$MINE/$THEIRS" ;;
	esac
	if [ "$MINE" = 0 ]; then
		status 0 qemu-img check -f qcow2 image.mine
		want "$how: what is said in the end" "$(cat out)" "$(tail -n "$(wc -l <out)" mine)"
		want "$how: marks" 0 "$(($(peek image.mine 72 8) & 3))"
		[ "$THEIRS" != 0 ] || want "$how: disk" "$(disk image.theirs)" "$(disk image.mine)"
		# there is nothing left to do
		cp image.mine again
		status 0 qcowctl check -r all again
		cmp image.mine again
	fi

	both "$how" leaks
	want "$how: status of -r leaks" "$THEIRS" "$MINE"
	case $how in
	leak | leak-in-use | beyond) want "$how: bytes changed" 1 "$(cmp -l image image.mine | wc -l)" ;;
	flag | dirty | corrupt) want "$how: bytes changed" 1 "$(cmp -l image image.mine | wc -l)" ;;
	flag-wrong) want "$how: bytes changed" 2 "$(cmp -l image image.mine | wc -l)" ;;
	*) cmp image image.mine || fail "$how: -r leaks changed something" ;;
	esac
	echo "$how: $MINE"
done

# the words of qemu-img
break_image leak-in-use
both leak-in-use all
grep -q '^Repairing cluster [0-9]* refcount=2 reference=1$' mine.err
want "report" "$(cat theirs)" "$(cat mine)"
cp image image.mine
status 0 qcowctl check -J -r leaks image.mine
cp image image.theirs
qemu-img check --output=json -r leaks image.theirs 2>/dev/null | jq '.filename = "image.mine"' >theirs
same_json "report in JSON" theirs out

# what a broken snapshot refers to is not given back
break_image snapshot-short
poke image "$(peek image 64 8)" 8 $(($(peek image "$(peek image 64 8)" 8) + 512))
both unfollowed all
want "a snapshot that cannot be followed" 2 "$MINE"
qcowctl check image 2>&1 >/dev/null | grep '^Leaked' | sort >leaks || true
[ -s leaks ] || fail "nothing looks leaked"
qcowctl check image.mine 2>&1 >/dev/null | grep '^Leaked' | sort >left || true
diff <(cut -d ' ' -f 3 leaks) <(cut -d ' ' -f 3 left | grep -xf <(cut -d ' ' -f 3 leaks)) || fail "its clusters were given back"

# unknown autoclear features go, bitmaps stay
break_image leak
qemu-img bitmap --add image bitmap
qemu-img snapshot -c snapshot image
set_refcount 201 1
poke image 88 8 $((0x101))
status 0 qcowctl check -r all image
want "autoclear features" 1 "$(peek image 88 8)"
want "snapshots" 1 "$(peek image 60 4)"
status 0 qemu-img check -f qcow2 image
qemu-img bitmap --remove image bitmap

# who uses it, and wrong usage
break_image leak
cp image before
for mode in -r ''; do
	rm -f in
	mkfifo in
	# shellcheck disable=SC2086
	qemu-io $mode -f qcow2 image <in >log 2>&1 &
	exec 5>in
	echo 'read 128k 512' >&5
	until grep -q '512 bytes' log || ! kill -0 $!; do sleep 0.05; done
	refused 'image is in use' qcowctl check -r all image
	echo quit >&5
	exec 5>&-
	wait $! || fail "qemu-io $mode: $(cat log)"
done
cmp image before
status 1 qcowctl check -r some image
status 1 qcowctl check -U -r all image
status 1 qcowctl check -r
echo 'no image at all' >raw
status 63 qcowctl check -r all raw
# all counts at once
truncate -s 16M image
refused 'it needs 8194 bytes' qcowctl check --memory 4K -r all image
status 3 qcowctl check --memory 4K image
