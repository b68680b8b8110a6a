# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: while the top is merged into a base, guests write to the base. However the job ends, cancelled, failed or well, no flush and no durable write is answered before the base is durable: its device is suspended meanwhile. A power cut after the answer shows what was written
# rule: FLUSH-COVERS
# needs: vm 6.12 (6.1 7.2) timeout 120

SIZE=16
SECTORS=$((SIZE << 11))
# A base that stays suspended would hold all the rest.
trap 'dmsetup resume lower 2>/dev/null || true' EXIT
"$BIN/stamp" 4 65536 >"$T/guest"
"$BIN/stamp" 1 $((1 << 20)) >"$T/data"
"$BIN/stamp" 5 4096 >"$T/durable"

# on_disk FILE MIB OPTION...: a guest writes.
on_disk() {
	local file=$1 mib=$2
	shift 2
	dd if="$file" of=/dev/mapper/disk bs=64k seek=$((mib * 16)) conv=notrunc status=none "$@"
}
rewrite() { on_disk "$T/durable" 12 oflag=direct,dsync; }

# begin END: 2 MiB in the top, far apart, a commit that has merged the first one and waits for its turn, and a guest's write
# that went to the base.
begin() {
	pool lower $((SIZE << 20))
	pool upper $((SIZE << 20))
	qcowctl create /dev/mapper/lower ${SIZE}M
	qcowctl create -b /dev/mapper/lower -F qcow2 /dev/mapper/upper
	qcowctl attach --allow /dev/mapper -n disk /dev/mapper/upper
	on_disk "$T/data" 0 oflag=direct
	on_disk "$T/data" 8 oflag=direct conv=fsync,notrunc
	[ "$1" != failed ] || qemu-img map -U --output=json /dev/mapper/upper |
		jq -r '.[] | select(.depth == 0 and .data) | "\(.offset / 512) \(.length / 512)"' >"$T/extents"
	qcowctl commit -b --rate 4K disk
	until (($(status_of disk job_moved))); do sleep 0.05; done
	on_disk "$T/guest" 12 oflag=direct
}

# ends HOW: what is still to be done once the base's device is suspended
ends() {
	case $1 in
	cancelled) dmsetup message disk 0 job cancel ;;
	*) dmsetup message disk 0 job rate 0 ;;
	esac
}

# table_of_upper [error]: its table, with what the top's data lie on as they are, or unreadable.
table_of_upper() {
	local at=0 from len
	while read -r from len; do
		((from == at)) || echo "$at $((from - at)) linear $POOL $((START + at))"
		echo "$from $len error"
		at=$((from + len))
	done < <([ -z "${1:-}" ] || sort -n "$T/extents")
	echo "$at $((SECTORS - at)) linear $POOL $((START + at))"
}

# upper [error]: the device below the top gets that table.
upper() {
	table_of_upper "$@" | dmsetup load upper
	dmsetup suspend --nolockfs upper
	dmsetup resume upper
}

# acknowledged END ASK: the job comes to that END while the base's device is suspended, and a guest asks.
acknowledged() {
	local end=$1 ask=$2 asker i
	echo "-- a job that is $end, and a $ask"
	begin "$end"
	read -r _ _ _ _ START < <(dmsetup table upper)
	[ "$end" != failed ] || upper error
	dmsetup suspend --nolockfs --noflush lower
	ends "$end"
	sleep 0.7
	$ask &
	asker=$!
	for ((i = 0; i < 10; i++)); do
		kill -0 $asker 2>/dev/null || break
		sleep 0.1
	done
	if ! kill -0 $asker 2>/dev/null; then
		wait $asker || fail "the $ask failed"
		fail "a $ask is answered before the base is durable, by a job that is $end"
	fi
	dmsetup resume lower
	wait $asker || fail "the $ask failed when the base was there again"
	[ "$end" != failed ] || upper
	# what a power cut leaves now
	dd if=/dev/mapper/lower of="$T/base.cut" bs=1M iflag=direct status=none
	dd if=/dev/mapper/upper of="$T/top.cut" bs=1M iflag=direct status=none
	for ((i = 0; i < 100; i++)); do
		[[ $(status_of disk job_state) == running ]] || break
		sleep 0.1
	done
	want "the end" "$end" "$(status_of disk job_state)"
	qemu-img rebase -u -f qcow2 -b "$T/base.cut" -F qcow2 "$T/top.cut"
	{
		[ "$ask" = flush ] || cat "$T/durable"
		[ "$ask" = flush ] && cat "$T/guest" || tail -c +4097 "$T/guest"
	} >"$T/expected"
	qemu-img dd -f qcow2 -O raw bs=64k skip=$((12 * 16)) count=$((12 * 16 + 1)) if="$T/top.cut" of="$T/got"
	cmp "$T/expected" "$T/got" || fail "acknowledged data are lost by a power cut"
	want mode rw "$(status_of disk mode)"
	detach disk
	detach upper
	qemu-img check -q /dev/mapper/lower || fail "qemu-img check of the base"
	detach lower
	pool_reset
}

acknowledged cancelled flush
acknowledged cancelled rewrite
acknowledged failed flush
acknowledged "done" flush
