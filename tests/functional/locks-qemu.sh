# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: real qemu tools respect an attached image, we respect theirs, and no_lock stands aside
# needs: vm 6.1 6.12 7.2

qemu-img create -q -f qcow2 "$T/base" 4M
qemu-io -f qcow2 -c 'write -q -P 1 0 1M' "$T/base"
qemu-img create -q -f qcow2 -b base -F qcow2 "$T/top"
qemu-io -f qcow2 -c 'write -q -P 2 64k 64k' "$T/top"
expected qcow2 "$T/top" "$T/expected"

# held FILE: QEMU's lock bytes that are held on the file
held() {
	local inode
	inode=$(stat -c %i "$1")
	grep -E "OFDLCK.*:$inode (100|201|203) \\1\$" /proc/locks | awk '{ print $(NF-1) }' | sort -u | xargs
}

attach disk qcow2 "$T/top" qcow2 "$T/base"
for file in top base; do
	want "locks on $file" "100 201 203" "$(held "$T/$file")"
	# readers pass
	qemu-img info "$T/$file" >/dev/null || fail "qemu-img info $file"
	qemu-io -r -f qcow2 -c 'read -q 0 64k' "$T/$file" || fail "qemu-io read $file"
	# writers do not
	if qemu-io -f qcow2 -c 'write -q 0 64k' "$T/$file" >"$T/said" 2>&1; then fail "qemu-io wrote to $file"; fi
	grep -q 'Failed to get .*lock' "$T/said" || fail "$(cat "$T/said")"
done
qemu-img check -q "$T/top" || fail "qemu-img check"
if qemu-img resize -q "$T/top" 8M 2>"$T/said"; then fail "qemu-img resized an attached image"; fi
if qemu-img commit -q "$T/top" 2>"$T/said"; then fail "qemu-img committed an attached image"; fi
same_as disk "$T/expected"

# a second device shares the locks, and the first one's going leaves the second its own
attach other qcow2 "$T/top" qcow2 "$T/base"
detach disk
want "locks of the second" "100 201 203" "$(held "$T/top")"
detach other
want "locks after detach" "" "$(held "$T/top")"
qemu-io -f qcow2 -c 'write -q -P 2 64k 64k' "$T/top" || fail "cannot write after detach"

# keep COMMAND...: a qemu-io that holds the image open until release
keep() {
	mkfifo "$T/pipe"
	"$@" <"$T/pipe" >/dev/null 2>&1 &
	keeper=$!
	exec 6>"$T/pipe"
	# it answers once it has opened the image
	for _ in $(seq 100); do
		grep -q "OFDLCK.*:$(stat -c %i "$T/top") " /proc/locks && return
		sleep 0.1
	done
	fail "qemu-io does not open the image"
}
release() {
	exec 6>&-
	wait "$keeper" || true
	rm "$T/pipe"
}

keep qemu-io -f qcow2 "$T/top"
refused 'lock|in use|another' "$(table qcow2 "$T/top" qcow2 "$T/base")"
attach disk qcow2 "$T/top" qcow2 "$T/base" -- no_lock
same_as disk "$T/expected"
detach disk
release

keep qemu-io -r -f qcow2 "$T/top"
attach disk qcow2 "$T/top" qcow2 "$T/base"
same_as disk "$T/expected"
detach disk
release

attach disk qcow2 "$T/top" qcow2 "$T/base" -- no_lock
want "locks with no_lock" "" "$(held "$T/top")"
qemu-io -f qcow2 -c quit "$T/top" || fail "no_lock keeps writers out"
detach disk
