# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every part of the runner uses: messages, progress, locks, scratch.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=${DM_QCOW2_SRC:-$(cd "$VM_DIR/../.." && pwd)}
CACHE=${DM_QCOW2_CACHE:-/var/cache/dm-qcow2}

say() { printf 'vm: %s\n' "$*" >&2; }

# The machinery failed, as opposed to COMMAND.
die() { say "$@"; exit 125; }

# step LABEL LOG COMMAND...: run COMMAND with its output in LOG; tell what is being done and for how long; show the
# end of LOG if it fails.
step() {
	local label=$1 log=$2 start=$SECONDS told=$SECONDS pid rc=0 line
	shift 2
	say "$label ..."
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if ((SECONDS - told >= 10)); then
			told=$SECONDS
			line=$(tail -c 400 "$log" | tr '\r' '\n' | tr -cd '[:print:]\n' | grep . | tail -n 1) || line=
			say "$label: $((SECONDS - start)) s: ${line:0:90}"
		fi
	done
	wait "$pid" || rc=$?
	if ((rc)); then
		say "$label: failed (status $rc) after $((SECONDS - start)) s; the end of $log:"
		tail -n 60 "$log" | sed 's/^/    /' >&2
		return 1
	fi
	say "$label: done in $((SECONDS - start)) s"
}

# locked NAME COMMAND...: run COMMAND while nobody else prepares NAME.
locked() {
	local name=$1 fd rc=0
	shift
	mkdir -p "$CACHE/lock"
	exec {fd}>"$CACHE/lock/$name"
	if ! flock -n "$fd"; then
		say "waiting for another run that prepares $name"
		flock "$fd"
	fi
	"$@" {fd}>&- || rc=$?
	exec {fd}>&-
	return "$rc"
}

# hold NAME: for as long as this run lasts no other run prunes the NAME of the cache.
hold() {
	local fd
	mkdir -p "$CACHE/lock"
	exec {fd}>"$CACHE/lock/hold-$1"
	flock -s "$fd"
}

# prune PATH COUNT: remove all but the newest COUNT of PATH-*, unless a run holds them. The lock files stay: who waits
# for one that is gone would hold nothing.
prune() {
	local path
	printf '%s\n' "$1"-* | xargs -r ls -dt | tail -n +$(($2 + 1)) | while IFS= read -r path; do
		flock -n "$CACHE/lock/hold-${path##*/}" rm -rf "$path" || true
	done
}

hash_of() { sha256sum | cut -c1-16; }

# make_run_dir: RUN_DIR, and an end to those of runs that were killed.
make_run_dir() {
	local fd
	mkdir -p "$CACHE/run"
	RUN_DIR=$(mktemp -d "$CACHE/run/XXXXXXXX")
	exec {fd}<"$RUN_DIR"
	flock -s "$fd"
	find "$CACHE/run" -mindepth 1 -maxdepth 1 -mmin +1 -exec flock -n {} rm -rf {} \;
}

# leave STATUS: the one way out that is not a failure of the machinery.
leave() { LEAVING=1; exit "$1"; }

# What COMMAND mounts is seen by nobody else and gone when it ends.
in_private_mounts() { unshare --mount --propagation private -- "$@"; }
