# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: which names of backing files are followed: below the image, where allowed, never json: and protocols, no loops
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"
unset QCOWCTL_ALLOW
[ ! -e /etc/qcowctl.conf ] || fail "this host has a /etc/qcowctl.conf"

mkdir -p mine/sub other/deep
qcowctl create other/base 1M
qcowctl create other/deep/base 1M
qcowctl create mine/sub/base 1M
cd mine

# names NAME [FORMAT]: top names that backing file
names() { qcowctl create -u -b "$1" -F "${2:-qcow2}" top 1M; }
table() { qcowctl attach -r --print-table "$@"; }
# leads PATH ARG...: followed to there, by every verb that follows
leads() {
	local path=$1
	shift
	want "where it leads" "$path" "$(table "$@" top | sed 's/.* //')"
	qcowctl map "$@" top >/dev/null
	qcowctl info --chain "$@" top >/dev/null
}
# not REGEX ARG...
not() {
	local regex=$1
	shift
	refused "$regex" qcowctl attach -r --print-table "$@" top
	refused "$regex" qcowctl map -J "$@" top
	refused "$regex" qcowctl info --chain "$@" top
}

for name in sub/base ./sub/base sub/../sub/base "$T/mine/sub/base" ../mine/sub/base; do
	names "$name"
	leads "$T/mine/sub/base"
done
# from anywhere, and relative names start at the image, not here
cd /
want "from /" "$T/mine/sub/base" "$(qcowctl attach -r --print-table "$T/mine/top" | sed 's/.* //')"
cd "$T/mine"

ln -s ../other/base link
ln -s ../other linkdir
for name in ../other/base "$T/other/base" link linkdir/base "$T/mine/link"; do
	names "$name"
	not "outside $T/mine.*--allow $T/other .*allow = $T/other"
	leads "$T/other/base" --allow "$T/other"
	leads "$T/other/base" --allow "$T/other/base"
	leads "$T/other/base" --allow ../other
	QCOWCTL_ALLOW=/nowhere:$T/other leads "$T/other/base"
done
# below an allowed directory, but not beside it
names ../other/deep/base
leads "$T/other/deep/base" --allow "$T/other"
mkdir ../other2
cp ../other/base ../other2
names ../other2/base
not outside --allow "$T/other"
refused 'No such file' qcowctl attach -r --print-table --allow nowhere top

# the image itself may be reached by a link: the directories of the link and of the image count
mkdir ../links
names sub/base
ln -s ../mine/top ../links/top
mkdir ../links/sub
cp sub/base ../links/sub
want "by a link" "$T/links/sub/base" "$(qcowctl attach -r --print-table ../links/top | sed 's/.* //')"

# every image of the chain is judged
qcowctl create -u -b ../other/base -F qcow2 mid 1M
names mid
not "$T/mine/mid names .*outside"
leads "$T/other/base" --allow "$T/other"

for name in 'json:{"driver":"file","filename":"sub/base"}' nbd:localhost:1 nbd://localhost/x file:sub/base fat:. a:b; do
	qemu-img create -q -f qcow2 -u -b "$name" -F raw top 1M
	not 'never followed'
done
cp sub/base a:b
qemu-img create -q -f qcow2 -u -b ./a:b -F qcow2 top 1M
leads "$T/mine/a:b"

# formats
names sub/base raw
want "raw as it says" raw "$(table top | awk '{ print $(NF - 1) }')"
names sub/base
poke top 112 4 0x12345678 # the extension with the format becomes one that nobody knows
not 'not its format.*--backing-format qcow2'
leads "$T/mine/sub/base" --backing-format qcow2
status 2 qcowctl attach -r --print-table --backing-format vmdk top
qemu-img create -q -f qcow2 -u -b sub/base -F vmdk top 1M
not 'format "vmdk" is not served'

# loops, by whatever name
names top
not 'twice'
names a
mv top b
names b
mv top a
names a
not 'twice'
ln b hard
qcowctl create -u -b hard -F qcow2 c 1M
names c
mv top d
qcowctl create -u -b d -F qcow2 b2 1M
cat b2 >b # hard -> d -> c -> hard
names d
not 'twice'

# files of other kinds
mkfifo fifo
for name in fifo sub /dev/null; do
	names "$name" raw
	not 'not a file|No such|outside' --allow /dev/null
done
names nothing raw
not 'No such file'
qcowctl create -u -b sub/base -F qcow2 top 1M
