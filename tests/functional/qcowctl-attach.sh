# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: qcowctl attaches a chain by the names in the images, lists and explains it, and detaches it; scripts get JSON
# needs: vm 6.12 (6.1 7.2)

cp "$FIXTURES/data" "$T/raw"
mkdir "$T/sub dir"
cp "$FIXTURES/packed.qcow2" "$T/sub dir/base.qcow2"
qemu-img create -q -f qcow2 -b 'sub dir/base.qcow2' -F qcow2 "$T/mid.qcow2"
qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 "$T/top.qcow2"
qemu-io -f qcow2 -c 'write -q -P 1 1M 64k' "$T/top.qcow2"
expected qcow2 "$T/top.qcow2" "$T/expected"

cd "$T"
want "what attach prints" /dev/mapper/top "$(run qcowctl attach -r top.qcow2 | tail -n 1)"
same_as top "$T/expected"
want "the same as by hand" "$(table qcow2 "$T/top.qcow2" qcow2 "$T/mid.qcow2" qcow2 "$T/sub dir/base.qcow2")" \
	"$(dmsetup table top)"
qcowctl attach -r -n second --map-limit 64K --cache-limit 128K --no-lock top.qcow2
want "options" "3 map_limit:64 cache_limit:128 no_lock" "$(dmsetup table second | grep -o '3 map_limit.*')"
same_as second "$T/expected"

# a name that is taken, an image that is not there, no -r: nothing happens, and each says why
for try in '-n top top.qcow2' 'nothing.qcow2' '-n a/b top.qcow2'; do
	# shellcheck disable=SC2086
	if qcowctl attach -r $try >said 2>&1; then fail "attached: $try"; fi
	[ "$(wc -l <said)" -ge 1 ] || fail "no word about: $try"
	cat said
done
want devices "second top" "$(dmsetup ls | awk '{ print $1 }' | sort | xargs)"
rc=0
qcowctl attach --nonsense top.qcow2 2>said || rc=$?
want "status of wrong usage" 2 "$rc"

run qcowctl list
want "names" "second top" "$(qcowctl list -n -o NAME | sort | xargs)"
want "JSON list" "second top" "$(qcowctl list -J | jq -r '.. | .name? // empty' | sort | xargs)"
run qcowctl status top
qcowctl status -J top | jq -e . >/dev/null || fail "status -J is no JSON"
for file in top.qcow2 mid.qcow2 base.qcow2; do
	grep -q "$file" <<<"$(qcowctl status top)" || fail "status does not name $file"
done
run qcowctl info --chain top.qcow2
want "layers by info" 3 "$(qcowctl info --chain -J top.qcow2 | jq 'length')"

# a name that was not asked for gives way
want "third" /dev/mapper/top-2 "$(qcowctl attach -r top.qcow2)"
qcowctl detach top-2

# in use: refused at once if told not to wait
exec 5</dev/mapper/top
if qcowctl detach --no-retry top 2>said; then fail "detached in use"; fi
cat said
exec 5<&-
qcowctl detach /dev/mapper/top
want devices second "$(qcowctl list -n -o NAME | xargs)"
if qcowctl detach top 2>said; then fail "detached what is not there"; fi
dmsetup create other --table '0 8 zero'
if qcowctl detach other 2>said; then fail "detached a device that is none of ours"; fi
qcowctl detach --all
want devices other "$(dmsetup ls | awk '{ print $1 }' | xargs)"
dmsetup remove other

# raw images, by a format that is given
want "raw" /dev/mapper/raw "$(qcowctl attach -r -f raw raw)"
same_as raw "$T/raw"
qcowctl detach --all

# the kernel's sentence comes through
poke top.qcow2 79 1 32
if qcowctl attach -r top.qcow2 2>said; then fail "attached an unknown feature"; fi
cat said
grep -q 'incompatible' said || fail "no reason given"
