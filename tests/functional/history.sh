# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the life of three disks that are written all the while, by writers that share clusters and by tasks that are limited or killed: single and group snapshots, internal ones, commits, streams, resizes, cancels, suspends back to back, messages from several senders, errors and full file systems below, at random; every read gives a value that can be there, every snapshot is one instant of all disks of its group by qemu-img, what was flushed is never lost, in the end every file is clean and the disks hold what was written
# needs: vm 6.12 (6.1 7.2) timeout 900

. ./history-below.sh
. ./history-control.sh

seed=${SEED:-4}
RANDOM=$seed
# for a longer history
ROUNDS=${ROUNDS:-14}
# Classes of things that are left out, to find the one that makes it fail: small (several writers in a page), fua,
# discards, tasks, flips, noflush, messages, errors, nospace.
export WITHOUT=${WITHOUT:-}
declare -A did=() inside=() running=() kept=() off=() before=() leaky=() dir=([a]=$T/faulty [b]=$T [c]=$T/small)
for what in $WITHOUT; do off[$what]=yes; done
noflush=(noflush)
[ -z "${off[noflush]:-}" ] || noflush=()
files=0 seen=0

alive() { kill -0 "$load" 2>/dev/null || fail "a reader or a writer has found something; seed $seed"; }

# calm: the kernel has not complained since it was asked last
calm() {
	read_log
	[[ ! $LOG =~ 'Call Trace'|BUG:|WARNING:|'INFO: task' ]] || fail "the kernel log: $(grep -m 1 -B 8 'Call Trace' <<<"$LOG"); seed $seed"
	log_mark history
}

# tell WORD NAME: to those who write and read
tell() {
	local answer
	alive
	echo "$*" >&"$LOAD_IN"
	read -r -t 120 -u "$LOAD_OUT" answer || answer="no answer"
	want "$*; seed $seed" ok "$answer"
}

# ended NAME...: no job is on any more; files that the chain has lost go
ended() {
	local name state file chain
	for name; do
		[ -n "${running[$name]:-}" ] || continue
		qcowctl job --rate 0 --wait "$name" >"$T/out" 2>&1 || true
		state=$(json_value state "$(qcowctl job -J "$name")")
		[[ " ${running[$name]} " == *" $state "* ]] || fail "the job on $name: $state: $(cat "$T/out")"
		running[$name]=
		chain=$(layers "$name")
		for file in "${dir[$name]}/$name" "${dir[$name]}/$name".*; do
			[[ $'\n'$chain$'\n' == *$'\n'"$file"$'\n'* ]] || rm -f "$file"
		done
	done
}

# plain NAME: without internal snapshots, which merges would change
plain() {
	[ -z "${inside[$1]:-}" ] || run qcowctl snapshot --internal delete "$1" "${inside[$1]}"
	inside[$1]=
}

# begun: how many things each writer has begun
begun() {
	local size
	size=($(stat -c %s "$T"/log.{0,1,2}))
	echo $((size[0] / 16)),$((size[1] / 16)),$((size[2] / 16))
}

# instant SINCE NAME FILE [NAME FILE]...: raw images show one instant of these disks, not before SINCE
instant() {
	local since=$1
	local -A image=()
	shift
	while (($#)); do
		image[$1]=$2
		shift 2
	done
	"$BIN/history-check" "$T/log" "$since" "${image[a]:--}" "${image[b]:--}" "${image[c]:--}" || fail "no instant; seed $seed"
	rm -f "$T"/raw-*
	seen=$((seen + 1))
}

# external NAME...: at one instant. Now and then a layer keeps its internal snapshot for good.
external() {
	local name since words=() images=() options=('' extended_l2=on,cluster_size=128k cluster_size=4k compat=0.10 cluster_size=512) option
	ended "$@"
	files=$((files + 1))
	for name; do
		if ((files % 6)) || [[ ${kept[$name]:-} == at*at* ]]; then
			plain "$name"
		else
			kept[$name]+=${inside[$name]:-}
		fi
		before[$name]=$(layers "$name" | tail -n 1)
		words+=("$name" "${dir[$name]}/$name.$files")
	done
	option=${options[RANDOM % 5]}
	since=$(begun)
	run qcowctl snapshot ${option:+-o "$option"} "${words[@]}" || fail "snapshot of $*; seed $seed"
	for name; do
		inside[$name]=
		qemu-img convert -U -f "$(format_of "${before[$name]}")" -O raw "${before[$name]}" "$T/raw-$name"
		images+=("$name" "$T/raw-$name")
	done
	instant "$since" "${images[@]}"
}
format_of() { if [ "$1" = "$T/b" ]; then echo raw; else echo qcow2; fi; }

internal() {
	local top since
	ended "$1"
	plain "$1"
	top=$(layers "$1" | tail -n 1)
	[ "$(format_of "$top")" = qcow2 ] || return 0
	# others may have the file as their own name for a snapshot
	inside[$1]="at $files $RANDOM"
	since=$(begun)
	run qcowctl snapshot --internal create "$1" "${inside[$1]}"
	qemu-img convert -U -f qcow2 -O raw -l "snapshot.name=${inside[$1]}" "$top" "$T/raw-$1"
	instant "$since" "$1" "$T/raw-$1"
}

# begin COMMAND...: may be refused, if a layer has a snapshot that shows what is below it
begin() {
	refused=
	echo "+ $*"
	"$@" 2>"$T/err" && return
	cat "$T/err"
	[ -n "${kept[$name]:-}" ] && grep -q 'has internal snapshots' "$T/err" || fail "$*; seed $seed"
	refused=yes
}

merge() {
	local name=$1 n top base refused rates=(0 0 512K 2M 4M) rate below
	ended "$name"
	plain "$name"
	n=$(layers "$name" | wc -l)
	if ((n < 2)); then
		external "$name"
		n=2
	fi
	# the slow ones are still on when other things begin
	rate=${rates[RANDOM % 5]}
	if ((RANDOM % 2)); then
		top=$((RANDOM % 2 ? n - 1 : 1 + RANDOM % (n - 1)))
		base=$((RANDOM % top))
		begin qcowctl commit -b --rate $rate --top $top --base $base "$name"
	else
		top=$((1 + RANDOM % (n - 1)))
		base=$((RANDOM % top))
		below=()
		((!base)) || below=(--base $((base - 1)))
		begin qcowctl stream -b --rate "$rate" --into $top "${below[@]}" "$name"
	fi
	if [ -n "$refused" ]; then
		did[refused]=$((${did[refused]:-0} + 1))
		return
	fi
	running[$name]=done
	if ((RANDOM % 4 == 0)); then
		sleep 0.0$((RANDOM % 10))
		qcowctl job --cancel "$name" 2>/dev/null || true
		running[$name]='done cancelled'
		did[cancel]=$((${did[cancel]:-0} + 1))
	fi
}

resize() {
	ended "$1"
	plain "$1"
	[ "$(format_of "$(layers "$1" | tail -n 1)")" = qcow2 ] || return 0
	run qcowctl resize "$1" +64K
}

shuffle() {
	local i j card
	for ((i = ${#deck[@]} - 1; i; i--)); do
		j=$((RANDOM % (i + 1)))
		card=${deck[i]} deck[i]=${deck[j]} deck[j]=$card
	done
}

below_up
qemu-img create -q -f qcow2 -o cluster_size=4k "$T/faulty/a" 8M
truncate -s 8M "$T/b"
qemu-img create -q -f qcow2 "$T/small/c" 9M
qcowctl attach "$T/faulty/a"
qcowctl create -b "$T/b" -F raw "$T/b.0"
qcowctl attach -n b "$T/b.0"
qcowctl attach "$T/small/c"
coproc LOAD { exec "$BIN/history" "$T/log" "$seed" /dev/mapper/{a,b,c}; }
# the shell forgets them when it ends
load=$LOAD_PID LOAD_OUT=${LOAD[0]}
exec {LOAD_IN}>&"${LOAD[1]}"
names=(a b c)
# each once in so many rounds, in an order that changes
deck=(group snapshot internal resize flips flips messages errors errors nospace nospace merge merge merge)
log_mark history
for ((round = 0; round < ROUNDS; round++)); do
	alive
	# the kernel forgets what it said hours ago
	((round % 8)) || calm
	name=${names[RANDOM % 3]}
	((round % ${#deck[@]})) || shuffle
	what=${deck[round % ${#deck[@]}]}
	[ -z "${off[$what]:-}" ] || what=merge
	echo "-- round $round: $what, $name"
	case $what in
	group) external a b c ;;
	snapshot) external "$name" ;;
	errors | nospace) $what ;;
	*) $what "$name" ;;
	esac
	did[$what]=$((${did[$what]:-0} + 1))
done
external a b c
ended a b c
alive
echo end >&"$LOAD_IN"
wait "$load" || fail "a reader or a writer has found something; seed $seed"
images=()
for name in a b c; do
	[[ $name = a && -n ${did[errors]:-} ]] || want "errors on $name" 0 "$(status_of "$name" errors)"
	want "mode of $name" rw "$(status_of "$name" mode)"
	mapfile -t list < <(layers "$name")
	qcowctl detach "$name"
	mapfile -t chain < <(qemu-img info --backing-chain --output=json "${list[-1]}" | jq -r '[.[].filename] | reverse[]')
	want "the chain on disk" "${list[*]}" "${chain[*]}"
	qemu-img convert -f "$(format_of "${list[-1]}")" -O raw "${list[-1]}" "$T/raw-$name"
	images+=("$T/raw-$name")
	for file in "${list[@]}"; do
		rc=0
		[ "$(format_of "$file")" = raw ] || qemu-img check "$file" >"$T/out" 2>&1 || rc=$?
		[[ $rc = 0 || ($rc = 3 && -n ${leaky[$file]:-}) ]] || { cat "$T/out"; fail "qemu-img check $file; seed $seed"; }
	done
done
"$BIN/history-check" "$T/log" final "${images[@]}" || fail "the disks are not what was written; seed $seed"
below_down
echo "$seen instants; seed $seed:" "$(for what in "${!did[@]}"; do printf ' %s %s' "${did[$what]}" "$what"; done)"
