# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: reads, writes and flushes below fail at random moments under a load: what was flushed stays, a data error fails that request alone, a metadata error ends writing with an event and a status that says so, removal ends, the image has leaks at most
# needs: vm 6.12 (6.1 7.2) timeout 600

SEED=${SEED:-1}
SIZE=$((12 << 20))
truncate -s $SIZE "$T/base"
fill "$T/base" 0 6M

# nap: a moment, up to 0.5 s
nap() { sleep "0.$((RANDOM % 5))$((RANDOM % 10))"; }

# lower_table [KIND]: what lies below, broken or not.
lower_table() {
	local start=${good##* } sectors
	read -r _ sectors _ <<<"$good"
	case ${1:-} in
	'') echo "$good" ;;
	all) echo "0 $sectors error" ;;
	writes) echo "0 $sectors flakey $POOL $start 0 3600 1 error_writes" ;;
	reads) echo "0 $sectors flakey $POOL $start 0 3600 1 error_reads" ;;
	meta) # refcounts, L1 and the first L2 table of a new image
		echo "0 128 linear $POOL $start"
		echo "128 512 error"
		echo "640 $((sectors - 640)) linear $POOL $((start + 640))" ;;
	data) # behind them
		echo "0 1024 linear $POOL $start"
		echo "1024 $((sectors - 1024)) error" ;;
	esac
}
set_lower() {
	lower_table "$@" | dmsetup reload lower || return
	# suspends before that, in this way
	dmsetup resume --noflush --nolockfs lower
}

# round PLACE KIND SEED
round() {
	local place=$1 kind=$2 events mode image
	echo "-- seed $3: $place, $kind fail"
	RANDOM=$3
	# xfs wants so much
	pool lower $(($([ "$place" = xfs ] && echo 320 || echo 48) << 20))
	good=$(dmsetup table lower)
	image=/dev/mapper/lower
	if [ "$place" != block ]; then
		"mkfs.$place" -q "$([ "$place" = ext4 ] && echo -F || echo -f)" /dev/mapper/lower
		mkdir -p "$T/mnt"
		mount /dev/mapper/lower "$T/mnt"
		image=$T/mnt/image
	fi
	qemu-img create -q -f qcow2 -b "$T/base" -F raw "$image" $SIZE
	attach_rw disk qcow2 "$image" raw "$T/base"
	# the first L2 table is there, so that with "data" only data are hit
	dd if=/dev/zero of=/dev/mapper/disk bs=64k count=2 oflag=direct conv=fsync status=none
	cat /dev/mapper/disk >"$T/before"
	events=$(dmsetup info -c --noheadings -o events disk)
	rm -f "$T/stop"
	"$BIN/survive" /dev/mapper/disk "$T/state" "$3" 1000000 4 "$T/stop" &
	sleep 0.5
	nap
	for _ in 1 2; do
		set_lower "$kind"
		nap
		set_lower
		nap
	done
	touch "$T/stop"
	wait $! || fail "reads are wrong"
	mode=$(status_of disk mode)
	echo "mode $mode, $(status_of disk errors) errors, $(status_of disk written) written in place, $(status_of disk allocating) not"
	case $mode in
	rw) # and fit for more: the last cluster is written once again
		dd if=/dev/mapper/disk of="$T/last" bs=64k count=1 skip=191 iflag=direct status=none
		dd if="$T/last" of=/dev/mapper/disk bs=64k seek=191 oflag=direct conv=fsync status=none || fail "no write after the errors" ;;
	failed_ro)
		(($(dmsetup info -c --noheadings -o events disk) > events)) || fail "no event"
		grep -q failed_ro <<<"$(qcowctl status disk)" || fail "qcowctl status: $(qcowctl status disk)"
		! dd if="$T/base" of=/dev/mapper/disk bs=64k count=1 oflag=direct status=none 2>/dev/null || fail "a write goes on" ;;
	*) fail "mode $mode" ;;
	esac
	case $kind in
	data | reads) [ "$place" != block ] || want "mode after errors of data" rw "$mode" ;;
	meta) [ "$place" != block ] || want "mode after errors of metadata" failed_ro "$mode" ;;
	esac
	modes+="$mode "
	timeout 60 dmsetup remove --retry disk || fail "removal does not end"
	if [ "$place" != block ]; then
		umount "$T/mnt"
		if [ "$place" = ext4 ]; then
			e2fsck -fy /dev/mapper/lower >"$T/fsck" 2>&1 || (($? == 1)) || fail "e2fsck: $(cat "$T/fsck")"
		fi
		mount /dev/mapper/lower "$T/mnt"
	fi
	qemu-img check -f qcow2 "$image" >"$T/check" 2>&1 || (($? == 3)) || fail "qemu-img check: $(cat "$T/check")"
	qemu-img convert -f qcow2 -O raw "$image" "$T/after"
	"$BIN/survive" -c "$T/state" "$T/before" "$T/after" || fail "flushed data are lost, seed $3"
	[ "$place" = block ] || umount "$T/mnt"
	detach lower
	pool_reset
}

modes=''
n=$SEED
for place in block ext4 xfs; do
	for kind in all writes reads meta data; do
		# where those lie in a file only the file system knows
		case $place-$kind in block-* | *-all | *-writes) ;; *) continue ;; esac
		# before 6.5 the target cannot fail reads alone
		[[ $kind != reads || $(uname -r) != 6.1.* ]] || continue
		round $place $kind $n
		n=$((n + 1))
	done
done
# The load and the moments are such that both ends are met.
[[ $modes == *rw* && $modes == *failed_ro* ]] || fail "modes: $modes"
