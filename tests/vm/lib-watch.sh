# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Runs the machine, waits for the verdict, and judges the kernel log.

BOOT_SECONDS=${DM_QCOW2_BOOT_SECONDS:-300}

# How reports begin in the kernels 6.1 to 7.2. Most are anchored at the start of the message: other lines mention these
# words and mean no harm ("RETBleed: WARNING: ...", "INFO: NMI handler took too long").
REPORTS=$(paste -sd '|' <<'END'
(\[ )?BUG[: ]
WARNING:[ ]
INFO: (task .* blocked for|trying to register non-static key)
(rcu: )?INFO: .*(self-detected|detected) .*stall
watchdog: BUG
.*hard LOCKUP
.*kernel BUG at
(.*: )?Oops
Kernel panic
(traps: )?PANIC
general protection fault
(invalid opcode|divide error|stack segment|int3):[ ]
.*sleeping function called from invalid context
.*possible (recursive|circular) locking detected
.*suspicious RCU usage
(UBSAN|KASAN|KFENCE|KCSAN|ODEBUG|refcount_t):[ ]
list_(add|del) corruption
slab error
kmemleak: ([0-9]+ new|unreferenced object)
END
)
PREFIX='^(\[ *[0-9]+\.[0-9]+\] ?)?(\[ *[TC][0-9]+\] ?)?'

# scan_log FILE: show the reports of FILE, if it holds any.
scan_log() {
	local n
	n=$(grep -aEc "$PREFIX($REPORTS)" "$1") || return 1
	say "the kernel log holds $n line(s) that report a failure; the first with what follows:"
	grep -aE -m 1 -A 40 "$PREFIX($REPORTS)" "$1" | sed 's/^/    /' >&2
	((n == 1)) || { say "all of them:"; grep -aE "$PREFIX($REPORTS)" "$1" | sed -n '1,20s/^/    /p' >&2; }
}

# The log that guest.c sent is complete while the guest lives; what came after, or before, is on the console.
scan_logs() { scan_log "$RUN_DIR/log" || scan_log "$RUN_DIR/console"; }

console_end() {
	say "the end of the console:"
	tail -n 40 "$RUN_DIR/console" | sed 's/^/    /' >&2
}

# QEMU may have images to close; the file servers have nothing.
stop_vm() {
	local pid tries
	if [ -n "$QEMU_PID" ]; then
		kill "$QEMU_PID" 2>/dev/null || true
		for ((tries = 0; tries < 100; tries++)); do
			kill -0 "$QEMU_PID" 2>/dev/null || break
			sleep 0.05
		done
	fi
	for pid in $QEMU_PID "${HELPERS[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	HELPERS=() QEMU_PID=
}

# await WORD SECONDS: read lines of the guest into VERDICT until one begins with WORD. Fails when QEMU ended or time is up.
await() {
	local word=$1 end=$((SECONDS + $2)) line part=
	while :; do
		if IFS= read -r -t 0.3 line <&"$verdict_fd"; then
			line=$part$line part=
			VERDICT=$line
			[ "${line%% *}" != "$word" ] || return 0
		else
			part+=$line
			kill -0 "$QEMU_PID" 2>/dev/null || return 1
			((SECONDS < end)) || return 2
		fi
	done
}

file_size() { stat -c %s "$1" 2>/dev/null || echo 0; }

# await_output "NAME BYTES"...: wait until the host has every byte that the guest says it sent.
await_output() {
	local stream tries=0
	for stream in "$@"; do
		while (($(file_size "$RUN_DIR/${stream% *}") < ${stream#* })); do
			if ((++tries == 500)) || ! kill -0 "$QEMU_PID" 2>/dev/null; then
				die "lost output of the guest"
			fi
			sleep 0.02
		done
	done
}

# watch_vm: start QEMU, pass the output on, and exit as the contract says.
watch_vm() {
	local verdict_fd streams=() rc=0 status out err log before after pid
	touch "$RUN_DIR"/{stdout,stderr,log,console}
	exec {verdict_fd}<>"$RUN_DIR/verdict.out"
	"${QEMU[@]}" >"$RUN_DIR/qemu.log" 2>&1 </dev/null {verdict_fd}>&- &
	QEMU_PID=$!
	# tail ends, having shown everything, when QEMU has ended.
	tail -c +1 -s 0.1 -f --pid="$QEMU_PID" "$RUN_DIR/stdout" 2>/dev/null {verdict_fd}>&- &
	streams+=("$!")
	tail -c +1 -s 0.1 -f --pid="$QEMU_PID" "$RUN_DIR/stderr" >&2 2>/dev/null {verdict_fd}>&- &
	streams+=("$!")

	if await ready "$BOOT_SECONDS"; then
		await 'exit' "$TIMEOUT" || rc=$?
		if ((rc == 2)); then
			# Let the kernel tell where it hangs, if it still can.
			printf d >"$RUN_DIR/verdict.in" & pid=$!
			await 'exit' 5 || true
			kill "$pid" 2>/dev/null || true
		fi
	else
		rc=$(($? + 2))
	fi
	if ((rc == 0)); then
		read -r _ status out err log before after <<<"$VERDICT"
		await_output "stdout $out" "stderr $err" "log $log"
	fi
	stop_vm
	wait "${streams[@]}" 2>/dev/null || true
	# The console has what a dying kernel could not send any more.
	[ -z "$CONSOLE" ] || { cat "$RUN_DIR/log"; ((rc == 0)) || cat "$RUN_DIR/console"; } >"$CONSOLE"

	case $rc in
	1 | 3)
		say "the VM died$( ((rc == 1)) || echo ' before the command began')"
		head -n 40 "$RUN_DIR/qemu.log" >&2
		scan_logs || console_end
		exit 125 ;;
	2)
		say "the command did not end within $TIMEOUT s (--timeout); the end of the kernel log:"
		tail -n 60 "$RUN_DIR/log" | sed 's/^/    /' >&2
		scan_logs || true
		exit 125 ;;
	4)
		say "the VM did not reach the command within $BOOT_SECONDS s"
		head -n 40 "$RUN_DIR/qemu.log" >&2
		scan_logs || console_end
		exit 125 ;;
	esac
	! scan_logs || exit 125
	# Bad page, died, warned, soft lockup.
	if (((after & ~before) & (1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))); then
		say "the kernel is tainted ($before before the command, $after after) but its log does not say why"
		exit 125
	fi
	leave "$status"
}
