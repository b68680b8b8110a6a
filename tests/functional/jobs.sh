# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: while a device is written, overlays are put on its chain, and layers merged down and pulled up, to the end or not: what is read is what was written, every image is clean, and the chain on disk is the one the table shows
# needs: vm 6.12 (6.1 7.2) timeout 900

RANDOM=${SEED:-1}
# of guests, for each chain; more with --rounds, and a fourth chain
OPERATIONS=$((${ROUNDS:-14} * 17))
nr=0
SIZE=24M

# paths: of the layers, top first, as the table has them
paths() { dmsetup table disk | awk '{ for (i = 6; i < 6 + 2 * $5; i += 2) print $(i + 1) }'; }

# message WORD...: to the suspended device
message() {
	dmsetup suspend --nolockfs disk
	if dmsetup message disk 0 "$@"; then dmsetup resume disk; else dmsetup resume disk; fail "message $*: $(log_since_mark | tail -n 1)"; fi
}

# wait_job STATE...: until it ends, in one of these
wait_job() {
	local state
	while :; do
		state=$(status_of disk job_state)
		[[ $state == running || $state == paused ]] || break
		sleep 0.1
	done
	[[ " $* " == *" $state "* ]] || fail "the job: $state, expected $*: $(dmsetup status disk) $(log_since_mark | tail -n 2)"
	jobs=$((jobs + 1))
}

snapshot() {
	local line top options=('' cluster_size=4k extended_l2=on,cluster_size=128k cluster_size=512 compat=0.10) option
	line=$(dmsetup table disk)
	top=$(paths | sed -n 1p)
	nr=$((nr + 1))
	option=${options[RANDOM % ${#options[@]}]}
	qemu-img create -q -f qcow2 ${option:+-o "$option"} -b "$top" -F "$(awk '{ print $6 }' <<<"$line")" -U "$T/overlay$nr" "$SIZE" \
		2>/dev/null || qemu-img create -q -f qcow2 ${option:+-o "$option"} -u -b "$top" -F "$(awk '{ print $6 }' <<<"$line")" "$T/overlay$nr" "$SIZE"
	dmsetup load disk --table "$(awk -v o="$T/overlay$nr" '{ $5 += 1; $6 = "qcow2 " o " " $6; print }' <<<"$line")"
	dmsetup suspend disk
	dmsetup resume disk
}

# commit TOP BASE: by index, 0 is the top
commit() {
	local list name=()
	mapfile -t list < <(paths)
	if (($1)) || (($2 - $1 > 1)); then name=("${list[$2]}" "$(dmsetup table disk | awk -v i=$((6 + 2 * $2)) '{ print $i }')"); fi
	echo "commit $1 to $2 of ${#list[@]}"
	message commit "${list[$1]}" "${list[$2]}" "${name[@]}"
}

# stream INTO BASE: likewise; BASE past the last one: all of it
stream() {
	local list name=()
	mapfile -t list < <(paths)
	(($2 >= ${#list[@]})) || name=("${list[$2]}" "${list[$2]}" "$(dmsetup table disk | awk -v i=$((6 + 2 * $2)) '{ print $i }')")
	echo "stream to $1 from above $2 of ${#list[@]}"
	message stream "${list[$1]}" "${name[@]}"
}

step() {
	local n top base
	n=$(paths | wc -l)
	if ((n < 3 || (n < 7 && RANDOM % 3 == 0))); then
		snapshot
		return
	fi
	if ((RANDOM % 2)); then
		top=$((RANDOM % 2 ? 0 : RANDOM % (n - 1)))
		base=$((top + 1 + RANDOM % (n - 1 - top)))
		commit $top $base
	else
		top=$((RANDOM % (n - 1)))
		base=$((top + 2 + RANDOM % (n - 1 - top)))
		stream $top $base
	fi
	if ((RANDOM % 4 == 0)); then
		sleep 0.0$((RANDOM % 9))
		dmsetup message disk 0 job cancel 2>/dev/null || true
		wait_job done cancelled
	else
		wait_job done
	fi
}

# run_chain BASE-FORMAT BASE-OPTIONS BASE-SIZE
run_chain() {
	local layer churn list jobs=0
	echo "-- a base that is $1 $2 $3"
	rm -f "$T"/*
	if [ "$1" = raw ]; then
		truncate -s "$3" "$T/base"
		fill "$T/base" 1M 2M
	else
		truncate -s "$3" "$T/raw"
		fill "$T/raw" 1M 2M
		qemu-img convert -f raw -O qcow2 ${2:+-o "$2"} "$T/raw" "$T/base"
	fi
	nr=1
	qemu-img create -q -f qcow2 -b "$T/base" -F "$1" "$T/overlay1" "$SIZE"
	attach_rw disk qcow2 "$T/overlay1" "$1" "$T/base"
	log_mark
	"$BIN/churn" /dev/mapper/disk "$T/model" $((RANDOM + 1)) "$OPERATIONS" 4 &
	churn=$!
	while kill -0 $churn 2>/dev/null || ((!jobs)); do
		step
	done
	wait $churn || fail "churn"
	echo "$jobs jobs"
	for _ in 1 2 3; do step; done
	same_as disk "$T/model"
	want errors 0 "$(status_of disk errors)"
	want mode rw "$(status_of disk mode)"
	mapfile -t list < <(paths)
	detach disk
	mapfile -t chain < <(qemu-img info --backing-chain --output json "${list[0]}" | jq -r '.[].filename')
	want "the chain on disk" "${list[*]}" "${chain[*]}"
	for layer in "${list[@]}"; do
		[ "$layer" = "$T/base" ] && [ "$1" = raw ] || qemu-img check -q "$layer" || fail "qemu-img check $layer"
	done
	if [ "${list[0]}" = "$T/base" ] && [ "$1" = raw ]; then
		cmp "$T/base" "$T/model" || fail "the base holds something else"
	else
		qemu-img compare -f qcow2 -F raw "${list[0]}" "$T/model" || fail "qemu-img reads something else"
	fi
}

run_chain raw '' 24M
run_chain raw '' 5M
run_chain qcow2 cluster_size=4k 8M
# each first write fills 2 MiB: in a longer history only
((OPERATIONS <= 400)) || run_chain qcow2 cluster_size=2M 24M
