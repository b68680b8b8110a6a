# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the life of three disks that are written all the while: single and group snapshots, internal ones, commits, streams, resizes and cancels at random; every read gives a value that can be there, every snapshot is one instant of all disks of its group by qemu-img, in the end every file is clean and the disks hold what was written
# needs: vm 6.12 (6.1 7.2) timeout 900

# one that has some of everything
seed=${SEED:-4}
RANDOM=$seed
# for a longer history
ROUNDS=${ROUNDS:-14}
declare -A did=() inside=() running=() kept=()
files=0 seen=0

# ended NAME...: no job is on any more
ended() {
	local name state
	for name; do
		[ -n "${running[$name]:-}" ] || continue
		qcowctl job --wait "$name" >"$T/out" 2>&1 || true
		state=$(json_value state "$(qcowctl job -J "$name")")
		[[ " ${running[$name]} " == *" $state "* ]] || fail "the job on $name: $state: $(cat "$T/out")"
		running[$name]=
	done
}

# plain NAME: without internal snapshots, which merges would change
plain() {
	[ -z "${inside[$1]:-}" ] || run qcowctl snapshot --internal delete "$1" "${inside[$1]}"
	inside[$1]=
}

# instant NAME FILE [NAME FILE]...: raw images show one instant of these disks
instant() {
	local -A image=()
	while (($#)); do
		image[$1]=$2
		shift 2
	done
	"$BIN/history" check "$T/log" instant "${image[a]:--}" "${image[b]:--}" "${image[c]:--}" || fail "no instant; seed $seed"
	rm -f "$T"/raw-*
	seen=$((seen + 1))
}

# external NAME...: at one instant. Now and then a layer keeps its internal snapshot for good.
external() {
	local name words=() images=() options=('' extended_l2=on,cluster_size=128k cluster_size=4k compat=0.10 cluster_size=512) option
	ended "$@"
	files=$((files + 1))
	for name; do
		if ((files % 6)); then
			plain "$name"
		else
			kept[$name]+=${inside[$name]:-}
		fi
		before[$name]=$(layers "$name" | tail -n 1)
		words+=("$name" "$T/$name.$files")
	done
	option=${options[RANDOM % 5]}
	run qcowctl snapshot ${option:+-o "$option"} "${words[@]}" || fail "snapshot of $*; seed $seed"
	for name; do
		inside[$name]=
		qemu-img convert -U -f "$(format_of "${before[$name]}")" -O raw "${before[$name]}" "$T/raw-$name"
		images+=("$name" "$T/raw-$name")
	done
	instant "${images[@]}"
}
format_of() { if [ "$1" = "$T/b" ]; then echo raw; else echo qcow2; fi; }

internal() {
	local top
	ended "$1"
	plain "$1"
	top=$(layers "$1" | tail -n 1)
	[ "$(format_of "$top")" = qcow2 ] || return 0
	# others may have the file as their own name for a snapshot
	inside[$1]="at $files $RANDOM"
	run qcowctl snapshot --internal create "$1" "${inside[$1]}"
	qemu-img convert -U -f qcow2 -O raw -l "snapshot.name=${inside[$1]}" "$top" "$T/raw-$1"
	instant "$1" "$T/raw-$1"
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
	local name=$1 n top base refused
	ended "$name"
	plain "$name"
	n=$(layers "$name" | wc -l)
	if ((n < 2)); then
		external "$name"
		n=2
	fi
	if ((RANDOM % 2)); then
		top=$((RANDOM % 2 ? n - 1 : 1 + RANDOM % (n - 1)))
		base=$((RANDOM % top))
		begin qcowctl commit -b --top $top --base $base "$name"
	else
		top=$((1 + RANDOM % (n - 1)))
		base=$((RANDOM % top))
		if ((base)); then begin qcowctl stream -b --into $top --base $((base - 1)) "$name"; else begin qcowctl stream -b --into $top "$name"; fi
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

declare -A before=()
qemu-img create -q -f qcow2 -o cluster_size=4k "$T/a" 8M
truncate -s 8M "$T/b"
qemu-img create -q -f qcow2 "$T/c" 9M
qcowctl attach "$T/a"
qcowctl create -b "$T/b" -F raw "$T/b.0"
qcowctl attach -n b "$T/b.0"
qcowctl attach "$T/c"
"$BIN/history" write "$T/log" "$seed" /dev/mapper/{a,b,c} &
load=$!
names=(a b c)
for ((round = 0; round < ROUNDS; round++)); do
	kill -0 $load || fail "a reader has found something; seed $seed"
	name=${names[RANDOM % 3]}
	case $((RANDOM % 9)) in
	0) what=group; external a b c ;;
	1 | 2) what=snapshot; external "$name" ;;
	3) what=internal; internal "$name" ;;
	4) what=resize; resize "$name" ;;
	*) what=merge; merge "$name" ;;
	esac
	did[$what]=$((${did[$what]:-0} + 1))
done
external a b c
ended a b c
kill -TERM $load
wait $load || fail "a reader has found something; seed $seed"
images=()
for name in a b c; do
	want "errors on $name" 0 "$(status_of "$name" errors)"
	mapfile -t list < <(layers "$name")
	qcowctl detach "$name"
	mapfile -t chain < <(qemu-img info --backing-chain --output=json "${list[-1]}" | jq -r '[.[].filename] | reverse[]')
	want "the chain on disk" "${list[*]}" "${chain[*]}"
	qemu-img convert -f "$(format_of "${list[-1]}")" -O raw "${list[-1]}" "$T/raw-$name"
	images+=("$T/raw-$name")
	for file in "${list[@]}"; do
		[ "$(format_of "$file")" = raw ] || qemu-img check "$file" >"$T/out" 2>&1 || { cat "$T/out"; fail "qemu-img check $file; seed $seed"; }
	done
done
"$BIN/history" check "$T/log" final "${images[@]}" || fail "the disks are not what was written; seed $seed"
echo "$seen instants; seed $seed:" "$(for what in "${!did[@]}"; do printf ' %s %s' "${did[$what]}" "$what"; done)"
