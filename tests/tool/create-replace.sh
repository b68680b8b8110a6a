# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: create replaces a file whole or not at all, keeps its mode, follows a link, and never replaces what is in use
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

mkdir d
(umask 027 && qcowctl create d/new 1M)
want "mode of a new file" 640 "$(stat -c %a d/new)"
chmod 604 d/new
before=$(stat -c %i d/new)
qcowctl create d/new 2M
want "mode of a replaced file" 604 "$(stat -c %a d/new)"
[ "$(stat -c %i d/new)" != "$before" ] || fail "written over instead of replaced"
want size 2097152 "$(qcowctl info -J d/new | jq '."virtual-size"')"

ln -s d/new link
qcowctl create link 3M
[ -L link ] || fail "the link is gone"
want "size behind the link" 3145728 "$(qcowctl info -J d/new | jq '."virtual-size"')"

ln -s nowhere dangling
refused 'link to nothing' qcowctl create dangling 1M
mkfifo pipe
refused 'no file' qcowctl create pipe 1M
refused 'no file' qcowctl create d 1M
refused 'No such file' qcowctl create nothing/image 1M
refused 'own backing file' qcowctl create -b new -F qcow2 d/new
cp d/new copy
want "untouched" same "$(cmp d/new copy && echo same)"

# a reader and a writer of it
for mode in -r ''; do
	rm -f in
	mkfifo in
	# shellcheck disable=SC2086
	qemu-io $mode -f qcow2 d/new <in >log 2>&1 &
	exec 5>in
	echo 'read 0 512' >&5
	until grep -q '512 bytes' log || ! kill -0 $!; do sleep 0.05; done
	refused 'in use' qcowctl create d/new 1M
	echo quit >&5
	exec 5>&-
	wait $! || fail "qemu-io $mode: $(cat log)"
done
want "untouched by readers and writers" same "$(cmp d/new copy && echo same)"

# a directory that cannot be written to, unless root does it anyway
if [ "$(id -u)" != 0 ]; then
	chmod 555 d
	refused 'no file can be made' qcowctl create d/other 1M
	chmod 755 d
fi
# no room: a limit on the size of files stands for it
(ulimit -f 64 && trap '' XFSZ && refused 'could not be written' qcowctl create d/new 1M)
want "untouched without room" same "$(cmp d/new copy && echo same)"
want "what is in the directory" new "$(ls -A d)"
