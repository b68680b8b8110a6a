# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: compressed clusters are inflated on several CPUs at the same time
# needs: vm 6.12 (6.1 7.2), kprobes, not debug (it has none)

cp "$FIXTURES/packed.qcow2" "$T/image"
attach disk qcow2 "$T/image"

trace=/sys/kernel/tracing
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs $trace
trap 'echo 0 >$trace/tracing_on; echo 0 >$trace/events/q2test/enable; echo >$trace/kprobe_events; umount $trace' EXIT
modprobe zlib_inflate 2>/dev/null || true
{
	echo 'p:q2test/enter zlib_inflate'
	echo 'r:q2test/leave zlib_inflate'
} >$trace/kprobe_events
echo >$trace/trace
echo 1 >$trace/events/q2test/enable
echo 1 >$trace/tracing_on
same_as disk "$FIXTURES/data" -q 32 -r 20
echo 0 >$trace/tracing_on

# the CPUs that are inside at one moment
awk '/ enter: | leave: / {
	match($0, /\[[0-9]+\]/)
	cpu = substr($0, RSTART + 1, RLENGTH - 2)
	if (/ enter: /) { inside[cpu]++; calls++ } else if (inside[cpu] > 0) inside[cpu]--
	busy = 0
	for (c in inside) busy += inside[c] > 0
	if (busy > most) most = busy
	if (busy > 1) both++
}
END { print calls + 0, most + 0, both + 0 }' $trace/trace >"$T/seen"
read -r calls most both <"$T/seen"
echo "zlib_inflate: $calls calls, at most $most CPUs at once, $both events while two were inside"
((calls >= 128)) || fail "too few calls seen"
((most >= 2)) || fail "never two at once"
detach disk
