# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: attach follows no backing name it was not allowed to: outside the tree, json:, protocols, guessed formats, loops
# needs: vm 6.12 (6.1 7.2)

mkdir "$T/mine" "$T/other"
cd "$T/mine"
qemu-img create -q -f qcow2 "$T/other/base" 1M
qemu-io -f qcow2 -c 'write -q -P 1 0 64k' "$T/other/base"

# no REGEX COMMAND...: refused, by a sentence that matches; no device appears
no() {
	local regex=$1
	shift
	if "$@" >said 2>&1; then fail "allowed: $*"; fi
	cat said
	grep -qiE -- "$regex" said || fail "'$(cat said)' does not match '$regex'"
	[ -z "$(dmsetup ls | grep -v '^No devices')" ] || fail "a device is there after: $*"
}
# names BACKING FORMAT: an image that names it
names() {
	qemu-img create -q -f qcow2 -u -b "$1" -F "$2" new 1M
	mv new top
}

for name in "$T/other/base" ../other/base; do
	names "$name" qcow2
	no 'outside.*--allow' qcowctl attach -r top
	want "allowed" /dev/mapper/top "$(qcowctl attach -r --allow "$T/other" top)"
	qcowctl detach top
	want "by environment" /dev/mapper/top "$(QCOWCTL_ALLOW=$T/other qcowctl attach -r top)"
	qcowctl detach top
	echo "allow = $T/other" >/etc/qcowctl.conf
	want "by configuration" /dev/mapper/top "$(qcowctl attach -r top)"
	qcowctl detach top
	rm /etc/qcowctl.conf
done
# a link that leads out
ln -s "$T/other/base" link
names link qcow2
no 'outside' qcowctl attach -r top
# the middle of a chain is judged as well
names "$T/other/base" qcow2
mv top mid
names mid qcow2
no 'outside' qcowctl attach -r top
rm mid

names 'json:{"driver":"qcow2","file":{"driver":"file","filename":"base"}}' qcow2
no 'json:' qcowctl attach -r top
names 'nbd://localhost/disk' raw
no 'protocol' qcowctl attach -r top
names 'file:base' qcow2
no 'protocol' qcowctl attach -r top

# a format is never guessed
cp "$T/other/base" base
qemu-img create -q -f qcow2 -u -b base -F qcow2 top 1M
# blank the extension that says it
poke top 112 4 $((0x12345678))
no 'format.*--backing-format' qcowctl attach -r top
want "with the format given" /dev/mapper/top "$(qcowctl attach -r --backing-format qcow2 top)"
qcowctl detach top
names base vmdk
no 'vmdk' qcowctl attach -r top

# loops
names top qcow2
no 'twice' qcowctl attach -r top
names b qcow2
mv top a
names a qcow2
mv top b
no 'twice' qcowctl attach -r a
names nothing qcow2
no 'nothing' qcowctl attach -r top
