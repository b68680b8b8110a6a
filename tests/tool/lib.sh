# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the tests of qcowctl share. Sourced; sets up the program under ASan and UBSan and goes to $T.

BUILD=${BUILD:-$TOP/build}
"$TOP/tests/deps" tool qemu
make -s -C "$TOP" BUILD="$BUILD" tool-asan
# An error that a sanitizer finds is a status that no verb has.
export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
export PATH=$BUILD/tool-asan:$PATH
cd "$T"

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# want WHAT EXPECTED GOT
want() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }

# status EXPECTED COMMAND...: its exit status; what it says is in the files out and err.
status() {
	local expected=$1 got=0
	shift
	"$@" >out 2>err || got=$?
	[ "$got" = "$expected" ] || { cat out err >&2; fail "status $got instead of $expected: $*"; }
}

# refused REGEX COMMAND...: it fails, with status 1, and says why in one line that matches.
refused() {
	local regex=$1
	shift
	status 1 "$@"
	[ "$(wc -l <err)" = 1 ] || { cat err >&2; fail "not one sentence: $*"; }
	grep -qE -- "$regex" err || { cat err >&2; fail "it does not say '$regex': $*"; }
	[ ! -s out ] || { cat out >&2; fail "it says something on standard output: $*"; }
}

# make_luks IMAGE: an encrypted one. QEMU measures how fast the machine is for it, and gives up now and then if that is busy.
make_luks() {
	local try
	for try in {1..30}; do
		! qemu-img create -q -f qcow2 --object secret,id=s,data=x \
			-o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$1" 1M || return 0
		sleep "0.$((try % 10))"
	done
	fail "qemu-img makes no encrypted image"
}

# same_json WHAT A B: two files of JSON say the same.
same_json() {
	diff <(jq -S . "$2") <(jq -S . "$3") || fail "$1"
}

# random N: sets R to 0..N-1; the sequence follows from SEED.
random() { R=$(((RANDOM << 15 | RANDOM) % $1)); }
SEED=${SEED:-1}
RANDOM=$SEED
