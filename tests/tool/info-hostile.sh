# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: what an image or file is called reaches the terminal escaped, and JSON as JSON, in every verb and sentence
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

# No byte that a terminal would obey, and valid UTF-8.
harmless() {
	! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$@" || fail "control bytes come out: $(xxd "$@" | sed -n 1,5p)"
	iconv -f UTF-8 -t UTF-8 "$@" >/dev/null || fail "not UTF-8"
	! grep -qP '\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]' "$@" || fail "controls beyond ASCII come out"
}
evil=$'\e]0;owned\a\e[2Jx\ny\rz\x7f\xc2\x9b31m\xff\xe2\x80\xae'
qcowctl create -u -b "$evil" -F raw top 1M
qemu-img snapshot -c "$evil" top 2>/dev/null || true
for command in 'info top' 'info -J top' 'info --chain top' 'map top' 'attach -r --print-table top' "info $evil" "check $evil" \
	"attach -r $evil" "detach $evil" "status $evil" "$evil" "info --$evil" "create -o $evil image 1M" "list -o $evil"; do
	mapfile -td '' words < <(sed 's/ /\x0/' <<<"$command" | tr -d '\n' && printf '\0')
	# shellcheck disable=SC2086
	case $command in
	*top) qcowctl $command >said 2>&1 || true ;;
	*) qcowctl "${words[@]}" >said 2>&1 || true ;;
	esac
	[ -s said ] || fail "nothing is said: $command"
	harmless said
done
qcowctl info -J top | jq -e '."backing-filename" | contains("owned")' >/dev/null || fail "JSON lost the name"

# a whole chain of such names
cp top "$evil"
qcowctl create -b "$evil" -F qcow2 over 1M
for verb in 'info --chain' 'info --chain -J' 'map' 'map -J' 'check' 'attach -r --print-table'; do
	# shellcheck disable=SC2086
	qcowctl $verb over >said 2>&1 || true
	harmless said
done
# a name ends at its first NUL, as it does for QEMU
offset=$(peek top 8 8)
poke top $((offset + 3)) 1 0
want "a name with a NUL" $'\e]0' "$(qcowctl info -J top | jq -r '."backing-filename"')"
