# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The file systems below the disks of history.sh, which fail or are full for a while. Sourced.
#
#	$T/faulty	ext4 on the mapped device "faulty", for a	$T/small	ext4 on "small", for c

below_up() {
	local name
	pool faulty $((192 << 20))
	pool small $((384 << 20))
	good=$(dmsetup table faulty)
	for name in faulty small; do
		mkfs.ext4 -q -F -m 0 /dev/mapper/$name
		mkdir "$T/$name"
		mount /dev/mapper/$name "$T/$name"
	done
}

below_down() {
	umount "$T/faulty" "$T/small"
	detach faulty
	detach small
}

# set_faulty [KIND]: what lies below $T/faulty works, or: all fails, or only writes or reads
set_faulty() {
	local start=${good##* } sectors
	sectors=$(cut -d ' ' -f 2 <<<"$good")
	case ${1:-} in
	'') echo "$good" ;;
	all) echo "0 $sectors error" ;;
	*) echo "0 $sectors flakey $POOL $start 0 3600 1 error_$1" ;;
	esac | dmsetup reload faulty
	dmsetup suspend --noflush --nolockfs faulty
	dmsetup resume faulty
}

# errors: requests below a fail for a moment, while a job may be on
errors() {
	local kinds=(all writes writes reads) kind
	kind=${kinds[RANDOM % 4]}
	# before 6.5 the target cannot fail reads alone
	[[ $kind != reads || $(uname -r) != 6.1.* ]] || kind=writes
	echo "-- $kind fail"
	[ -n "${running[a]:-}" ] || ((RANDOM % 2)) || merge a
	[ -z "${running[a]:-}" ] || running[a]='done cancelled failed'
	tell fails a
	set_faulty "$kind"
	sleep 0.$((RANDOM % 4))$((RANDOM % 10))
	set_faulty
	# what the file system still has to say is said now
	sync -f "$T/faulty" || true
	dd of=/dev/mapper/a count=0 conv=fsync,notrunc status=none 2>/dev/null || true
	if [ "$(status_of a mode)" = failed_ro ] || ! { : >"$T/faulty/alive" && sync -f "$T/faulty"; } 2>/dev/null; then
		recover
	else
		tell works a
	fi
}

# recover: a is detached, its file system and its images are looked at, and it is attached again; what was flushed is there
recover() {
	local list file rc
	dmsetup status a
	mapfile -t list < <(layers a)
	tell away a
	timeout 60 qcowctl detach a || fail "a cannot be detached; seed $seed"
	running[a]=
	umount "$T/faulty"
	e2fsck -fy /dev/mapper/faulty >"$T/out" 2>&1 || (($? == 1)) || fail "e2fsck: $(cat "$T/out")"
	mount /dev/mapper/faulty "$T/faulty"
	for file in "${list[@]}"; do
		rc=0
		qemu-img check "$file" >"$T/out" 2>&1 || rc=$?
		case $rc in
		0) ;;
		3) qcowctl check -r leaks "$file" ;;
		*) cat "$T/out"; fail "qemu-img check $file after errors: status $rc; seed $seed" ;;
		esac
		# Neither looks behind the end of the file. What leaks there, because the file system lost that it had
		# become longer, is seen when it does again.
		leaky[$file]=yes
	done
	run qcowctl attach -n a "${list[-1]}"
	tell back a
	did[recovered]=$((${did[recovered]:-0} + 1))
}

# await MODE SECONDS: of c; false if it does not come to that
await() {
	local end=$((SECONDS + $2))
	until [ "$(status_of c mode)" = "$1" ]; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# nospace: there is no room below c for a while; it may be suspended meanwhile
nospace() {
	local pid=''
	# a new layer takes room
	((RANDOM % 2)) || external c
	# c may be quicker: then there is no room already
	fallocate -l $((($(stat -f -c '%a * %S' "$T/small")) - (64 << 10))) "$T/small/ballast" || true
	await out_of_space 2 || true
	echo "-- c is $(status_of c mode)"
	case $((RANDOM % 3)) in
	0) sleep 0.$((RANDOM % 10)) ;;
	1) [ ${#noflush[@]} = 0 ] || "$BIN/suspends" c 7 noflush only || fail "seed $seed" ;;
	2) # this one waits for the writes, and they for room
		(sleep 0.5; rm "$T/small/ballast") &
		pid=$!
		"$BIN/suspends" c 2 || fail "seed $seed"
		wait $pid ;;
	esac
	rm -f "$T/small/ballast"
	await rw 60 || fail "there is room, and c is $(status_of c mode); seed $seed"
}
