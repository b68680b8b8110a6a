# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the test runners share on the host. Sourced.

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOP=$(cd "$TESTS/.." && pwd)
KERNELS=(6.12 6.1 7.2)
RESULTS=${RESULTS:-$TOP/build/results}
HOST_CC=${CC:-cc}

started=$SECONDS

# say TEXT...: with the time since the start.
say() { printf '[%4d s] %s\n' $((SECONDS - started)) "$*"; }

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# scratch: sets SCRATCH_DIR, a directory outside the checkout that goes when the script ends, with the VM if one runs.
scratch() {
	SCRATCH_DIR=$(mktemp -d "${TMPDIR:-/var/tmp}/dm-qcow2-test.XXXXXX")
	VM_PID=
	trap 'vm_stop; rm -rf "$SCRATCH_DIR"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# Emulation translates a program anew wherever it is loaded; at the same address each time, starting one costs a third.
# shellcheck disable=SC2034
QUICK=(--append norandmaps)

# vm_start ARGUMENT...: tests/vm/run in the background; what it prints comes from file descriptor VM_OUT.
vm_start() {
	local pipe=$SCRATCH_DIR/vm.$BASHPID
	mkfifo "$pipe"
	"$TESTS/vm/run" "$@" >"$pipe" 2>&1 </dev/null &
	VM_PID=$!
	exec {VM_OUT}<"$pipe"
	rm "$pipe"
}

# vm_wait: sets VM_STATUS.
vm_wait() {
	VM_STATUS=0
	exec {VM_OUT}<&-
	wait "$VM_PID" || VM_STATUS=$?
	VM_PID=
}

vm_stop() {
	[ -n "$VM_PID" ] || return 0
	kill "$VM_PID" 2>/dev/null || true
	wait "$VM_PID" || true
}

# build_guest_programs DIR: the C programs that tests run in the guest; static, for the guest may be of another release.
build_guest_programs() {
	local source out
	mkdir -p "$1"
	for source in "$TESTS"/{lib,functional,differential,stress,bench}/*.c; do
		[ -e "$source" ] || continue
		out=$1/$(basename "$source" .c)
		"$HOST_CC" -O2 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -static -pthread -o "$out" "$source" ||
			return
	done
	ln -f "$1/poke" "$1/peek"
}

# make_share DIR: what the guest sees as /share.
make_share() {
	mkdir -p "$1/tests" "$1/out"
	cp -r "$TESTS"/{lib,functional,differential,stress,bench} "$1/tests/"
	build_guest_programs "$1/bin"
}
