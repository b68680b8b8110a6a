# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a cold read of several clusters, one of them behind a broken table entry or a broken compressed stream, fails with EIO wherever that one lies; nobody gets to see what was not read, by the page cache neither
# rule: ERROR-STAYS
# needs: vm 6.12 (6.1 7.2)

C=65536
NUMBER=4 # clusters in a read

# entry IMAGE CLUSTER: where its entry lies, in the first L2 table
entry() { echo $((($(peek "$1" "$(peek "$1" 40 8)" 8) & 0xfffffffffe00) + 8 * $2)); }

# break_entry IMAGE CLUSTER: the place is none where a cluster can lie.
break_entry() {
	local at
	at=$(entry "$1" "$2")
	poke "$1" "$at" 8 $(($(peek "$1" "$at" 8) + 512))
}

# break_stream IMAGE CLUSTER: the compressed bytes are no stream.
break_stream() {
	local host
	host=$(($(peek "$1" "$(entry "$1" "$2")" 8) & 0x3fffffffffffff))
	poke "$1" $host 8 -1 $((host + 8)) 8 -1
}

# look HOW CLUSTER: read all, of which CLUSTER is broken.
look() {
	local said
	said=$("$BIN/read-pieces" "$1" /dev/mapper/disk "$T/data" $C $NUMBER "$2" 2>&1) || fail "$said"
}

head -c 1M "$FIXTURES/data" >"$T/data"
qemu-img convert -f raw -O qcow2 "$T/data" "$T/plain"
qemu-img convert -c -f raw -O qcow2 "$T/data" "$T/packed"
for what in plain packed; do
	for broken in 0 1 3; do
		cp "$T/$what" "$T/image"
		if [ $what = plain ]; then break_entry "$T/image" $broken; else break_stream "$T/image" $broken; fi
		pool lower "$(stat -c %s "$T/image")"
		to_block "$T/image" /dev/mapper/lower
		for image in "$T/image" /dev/mapper/lower; do
			for how in direct buffered; do
				echo "$what, cluster $broken of $NUMBER, ${image##*/}, $how"
				attach disk qcow2 "$image"
				look $how $broken
				status=$(dmsetup status disk)
				[[ $status =~ ' errors='[1-9] ]] || fail "no error is counted: $status"
				[[ $status =~ ' corrupt='[1-9] ]] || fail "nothing corrupt is counted: $status"
				detach disk
			done
		done
		detach lower
		pool_reset
	done
done

# Behind a base: the piece is one of another layer.
cp "$T/plain" "$T/image"
break_entry "$T/image" 1
qemu-img create -q -u -f qcow2 -b "$T/image" -F qcow2 "$T/top" 1M
for how in direct buffered; do
	attach disk qcow2 "$T/top" qcow2 "$T/image"
	echo "over a base, $how"
	look $how 1
	detach disk
done
