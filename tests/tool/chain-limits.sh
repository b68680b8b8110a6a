# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: chains of 4096 images work and longer ones are refused; memory and open files stay bounded whatever images claim
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

qcowctl create -u -o cluster_size=512 -b 0000 -F qcow2 template 1M
mkdir deep deeper
chain template 4096 deep
chain template 4097 deeper
want "layers of 4096" 4096 "$(qcowctl attach -r --print-table deep/0000 | cut -d' ' -f5)"
refused 'more than 4096' qcowctl attach -r --print-table deeper/0000
(ulimit -n 256 && want "with few files" 4096 "$(qcowctl attach -r --print-table deep/0000 | cut -d' ' -f5)")
want "info of 4096" 4096 "$(qcowctl info --chain -J deep/0000 | jq length)"
ulimit -n 5000
want "map of 4096" '{"start":0,"length":1048576,"depth":4095,"present":false}' \
	"$(qcowctl map -J deep/0000 | jq -c '.[] | {start, length, depth, present}')"

# Every image claims an L1 table as large as can be, of which the file holds nothing.
qcowctl create -u -o cluster_size=2M -b 0000 -F qcow2 template 1M
poke template 36 4 $((4 << 20))
mkdir claims
chain template 64 claims
want "closed one after the other" 64 "$(qcowctl attach -r --print-table claims/0000 | cut -d' ' -f5)"
refused '1 GiB' qcowctl map -J claims/0000

# A file of a size that no counting can be done for at once.
qcowctl create -o cluster_size=512 huge 1M
truncate -s 4T huge 2>/dev/null || truncate -s 1T huge
status 1 qcowctl check huge
grep -q 'too large' err
rm -f huge
qcowctl create -o cluster_size=64k huge 1M
truncate -s 1T huge
status 0 qcowctl check huge
status 0 qcowctl check --memory 1M huge
