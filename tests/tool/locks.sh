# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: info, check, map and attach refuse an image that a program writes, unless told; readers share; the locks are QEMU's
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

qcowctl create base 1M
qcowctl create -b base -F qcow2 top

# open_in QEMU-IO-OPTIONS...: qemu-io holds an image open until let_go
open_in() {
	rm -f in
	mkfifo in
	qemu-io "$@" <in >log 2>&1 &
	HOLDER=$!
	exec 5>in
	echo 'read 0 512' >&5
	until grep -q '512 bytes' log; do
		kill -0 $HOLDER 2>/dev/null || fail "qemu-io: $(cat log)"
		sleep 0.05
	done
}
let_go() {
	echo quit >&5
	exec 5>&-
	wait $HOLDER
}

open_in -f qcow2 top
for verb in info 'info -J' 'info --chain' check 'check -J' map 'map -J' 'attach -r --print-table'; do
	# shellcheck disable=SC2086
	refused "top is in use by a program that writes it" qcowctl $verb top
done
for verb in info 'info --chain' check map; do
	# shellcheck disable=SC2086
	status 0 qcowctl $verb -U top
done
status 0 qcowctl attach -r --print-table --no-lock top
let_go

# a writer of the base is seen when the chain is walked, and only then
open_in -f qcow2 base
status 0 qcowctl info top
status 0 qcowctl check top
for verb in 'info --chain' map 'attach -r --print-table'; do
	# shellcheck disable=SC2086
	refused "base is in use" qcowctl $verb top
done
let_go

open_in -r -f qcow2 top
for verb in info 'info --chain' check map 'attach -r --print-table'; do
	# shellcheck disable=SC2086
	status 0 qcowctl $verb top
done
let_go

# what we hold while we read, as QEMU's writers see it: a check that is slow because nobody reads what it prints
qemu-io -f qcow2 -c 'write -q 0 1M' base
for ((i = 0; i < 16384; i++)); do printf '\0\2'; done | dd of=base bs=64k seek=2 conv=notrunc status=none
truncate -s 1G base
mkfifo pipe
qcowctl check base >/dev/null 2>pipe &
CHECK=$!
exec 6<pipe
head -c 1 <&6 >/dev/null
inode=$(stat -c %i base)
held=$(awk -v inode=":$inode" '$2 == "OFDLCK" && index($6, inode) { print $4, $7 }' /proc/locks | sort | xargs)
if qemu-io -f qcow2 -c 'write 0 512' base >log 2>&1; then fail "a writer came in beside a reader"; fi
qemu-io -r -f qcow2 -c 'read 0 512' base >log 2>&1 || fail "a reader was kept out: $(cat log)"
cat <&6 >/dev/null
exec 6<&-
wait $CHECK || [ $? = 2 ] || [ $? = 3 ]
want "bytes locked" "READ 100 READ 201 READ 203" "$held"
