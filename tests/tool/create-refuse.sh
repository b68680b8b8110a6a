# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: create says in a sentence what it does not take, and makes nothing then
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"

# wrong REGEX ARG...: wrong usage
wrong() {
	local regex=$1
	shift
	status 2 qcowctl create "$@"
	grep -qE -- "$regex" err || { cat err; fail "it does not say '$regex': $*"; }
	[ ! -e image ] || fail "made: $*"
}
wrong 'SIZE is missing' image
wrong 'needs -F' -b base image 1M
wrong 'needs -b' -F raw image 1M
wrong 'backing_fmt must be qcow2 or raw, not vmdk' -b base -F vmdk image 1M
wrong 'protocol' -b nbd:localhost:10809 -F raw image 1M
wrong 'protocol' -b 'json:{}' -F raw image 1M
wrong 'preallocation must be off, metadata, falloc or full, not some' -o preallocation=some image 1M
wrong 'encrypted images are not served' -o encryption=on image 1M
wrong 'encrypted images are not served' -o encrypt.format=luks image 1M
wrong 'external data files are not served' -o data_file=x image 1M
wrong 'no option -o colour' -o colour=red image 1M
wrong 'size must be a size' image 1Q
wrong 'given twice' -o size=1M image 1M
wrong 'SIZE is missing' -u -b nothing -F raw image
wrong 'too many' image 1M 2M
refused 'needs compat=1.1' qcowctl create -o compat=0.10,extended_l2=on image 1M
refused 'larger cluster_size' qcowctl create -o cluster_size=512 image 1T
touch raw
refused 'not a qcow2 image' qcowctl create -b raw -F qcow2 image
[ ! -e image ] || fail made
# commas in a name, and several -o
touch 'a,b'
qcowctl create -o backing_file=a,,b,backing_fmt=raw -o cluster_size=4k image 1M
want name 'a,b' "$(qcowctl info -J image | jq -r '."backing-filename"')"
want cluster 4096 "$(qcowctl info -J image | jq '."cluster-size"')"
