# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What tests use inside the VM. Sourced; set -euo pipefail is the caller's.
#
#	/scratch/ext4 xfs btrfs tmpfs	file systems, each on a disk of its own but the last
#	/dev/vde			a blank disk, handed out in pieces by pool
#	$T				a directory of this test alone, on ext4
#	$BIN				programs built on the host
#	$FIXTURES			images made on the host, see functional/fixtures

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
BIN=${BIN:-$HERE/../bin}
# shellcheck disable=SC2034
FIXTURES=$HERE/../fixtures
SCRATCH=/scratch
POOL=/dev/vde
T=${T:-$SCRATCH/ext4/test}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# run COMMAND...: say it, then do it.
run() {
	echo "+ $*"
	"$@"
}

# want WHAT EXPECTED GOT
want() {
	[ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# -- file systems and disks -----------------------------------------------------------------------

scratch_up() {
	local fs disk=b
	modprobe -a loop dm-mod
	for fs in ext4 xfs btrfs; do
		mkdir -p "$SCRATCH/$fs"
		"mkfs.$fs" -q "/dev/vd$disk" >/dev/null 2>&1 || fail "mkfs.$fs"
		mount -t "$fs" "/dev/vd$disk" "$SCRATCH/$fs"
		disk=$(tr bcd cde <<<"$disk")
	done
	mkdir -p "$SCRATCH/tmpfs"
	mount -t tmpfs -o size=90% tmpfs "$SCRATCH/tmpfs"
}

# programs_near: what tests start again and again comes to lie in memory of this VM. Else each start of a program asks the
# host for each of its files; a file of /share is even read anew whenever it is opened, and emulation translates anew what
# lies in other pages than before.
programs_near() {
	local word words programs paths=()
	cp -r "$BIN" /run/programs
	export BIN=/run/programs
	mapfile -t paths < <(type -P bash cat cmp cp cut dd dmesg fallocate grep jq mkdir mount rm sed seq sha256sum sleep sort \
		stat tail timeout truncate umount wc xargs)
	mapfile -t programs < <(type -P dmsetup qcowctl qemu-img qemu-io)
	# "NAME:", "NAME => PATH (ADDRESS)" and "PATH (ADDRESS)"
	while read -ra words; do
		for word in "${words[@]}"; do
			[[ $word != /*[!:] ]] || paths+=("$word")
		done
	done < <(ldd "${programs[@]}")
	# The root is an overlay: a file that is opened for writing is copied to its upper directory, a tmpfs. Not all of what
	# runs lets itself be opened so, and need not.
	for word in "${paths[@]}" "${programs[@]}"; do
		{ : >>"$word"; } 2>/dev/null || true
	done
}

# pool NAME BYTES: /dev/mapper/NAME, a piece of the blank disk of BYTES, rounded up to sectors.
pool() {
	local next=$SCRATCH/pool.next start sectors=$((($2 + 511) / 512))
	read -r start 2>/dev/null <"$next" || start=0
	dmsetup create "$1" --table "0 $sectors linear $POOL $start"
	# 1 MiB apart, so that a write out of bounds hits nobody's data unseen
	echo $((start + (sectors + 4095) / 2048 * 2048)) >"$next"
}

# Only when no piece is in use.
pool_reset() { rm -f "$SCRATCH/pool.next"; }

# to_block FILE DEVICE: copy; the rest of the last sector is zeroes, not what was there.
to_block() {
	local odd=$(($(stat -c %s "$1") % 512))
	if ((odd)); then
		{
			cat "$1"
			head -c $((512 - odd)) /dev/zero
		} | dd of="$2" bs=1M iflag=fullblock conv=fsync status=none
	else
		dd if="$1" of="$2" bs=1M conv=fsync status=none
	fi
	blockdev --flushbufs "$2"
}

# -- the device "disk", and what lies below it -----------------------------------------------------

flush() { dd of=/dev/mapper/disk count=0 conv=fsync,notrunc status=none; }

# write_at N: the first 256 KiB of $T/data, 64 KiB times N from the beginning
write_at() { dd if="$T/data" of=/dev/mapper/disk bs=64k count=4 seek="$1" oflag=direct conv=notrunc status=none; }

# wait_job: until it is over, however it ends
wait_job() {
	for _ in $(seq 300); do
		case $(status_of disk job_state) in running | paused) sleep 0.1 ;; *) return 0 ;; esac
	done
	fail "the job does not end"
}

# set_lower: the table of the device "lower" is the one of stdin now; nothing is flushed before.
set_lower() {
	dmsetup load lower
	# suspends before that, in this way
	dmsetup resume --noflush --nolockfs lower
}

# no_writes SECTORS: from now on "lower", a piece of the pool with the table $good, can be read, but not written or flushed.
no_writes() { set_lower <<<"0 $1 flakey $POOL ${good##* } 0 3600 1 error_writes"; }

# small_host: a file system of 32 MiB on $T/small; what fills it is to be called ballast. Sets loop, its device.
small_host() {
	truncate -s 32M "$T/disk.img"
	loop=$(losetup -f --show "$T/disk.img")
	mkfs.ext4 -q -F -m 0 "$loop"
	mkdir -p "$T/small"
	mount "$loop" "$T/small"
	# Who waits goes on then, whatever the end.
	trap 'rm -f "$T/small/ballast"' EXIT
}

# -- table lines ----------------------------------------------------------------------------------

# set_word PATH: sets WORD, as it is written in a table line: white space (0xa0 too), controls, \, % and # (dmsetup's
# comments) as %XX.
set_word() {
	local LC_ALL=C s=$1 i c
	WORD=$1
	[[ ! $s =~ ^[!\"$\&-[\]^-~]*$ ]] || return 0
	WORD=
	for ((i = 0; i < ${#s}; i++)); do
		c=${s:i:1}
		if [[ $c == [[:cntrl:]$' %#\\\xa0'] ]]; then
			printf -v c '%%%02X' $(($(printf %d "'$c") & 255))
		fi
		WORD+=$c
	done
}

# word PATH: says it.
word() {
	local WORD
	set_word "$1"
	printf %s "$WORD"
}

# size_of FORMAT PATH: guest size in sectors.
size_of() {
	local bytes
	if [ "$1" = qcow2 ]; then
		bytes=$("$BIN/peek" "$2" 24 8)
	elif [ -b "$2" ]; then
		bytes=$(blockdev --getsize64 "$2")
	else
		bytes=$((($(stat -Lc %s "$2") + 511) / 512 * 512))
	fi
	echo $((bytes / 512))
}

# set_table FORMAT PATH [FORMAT PATH]... [-- OPT...]: sets TABLE, the whole line, top first, for the whole device. (No
# processes but for the size: these are many, and emulation is slow.)
set_table() {
	local nr=0 words=() sectors WORD
	sectors=$(size_of "$1" "$2")
	while (($#)) && [ "$1" != -- ]; do
		set_word "$2"
		words+=("$1" "$WORD")
		nr=$((nr + 1))
		shift 2
	done
	(($# == 0)) || shift
	TABLE="0 $sectors qcow2 ro $nr ${words[*]}"
	(($# == 0)) || TABLE+=" $# $*"
}

# table FORMAT PATH ...: says it.
table() {
	local TABLE
	set_table "$@"
	printf '%s\n' "$TABLE"
}

# attach NAME FORMAT PATH ...: as table; by device-mapper alone.
attach() {
	local name=$1 TABLE
	shift
	set_table "$@"
	dmsetup create --readonly "$name" <<<"$TABLE" || fail "attach $name: $* $(log_since_mark | tail -n 2)"
}

# attach_rw NAME FORMAT PATH ...: as attach, for writing.
attach_rw() {
	local name=$1 TABLE
	shift
	set_table "$@"
	dmsetup create "$name" <<<"${TABLE/ qcow2 ro / qcow2 rw }" || fail "attach_rw $name: $* $(log_since_mark | tail -n 2)"
}

detach() { dmsetup remove --retry "$1"; }

# status_of NAME KEY: the value of KEY=value in its status line.
status_of() {
	local token
	for token in $(dmsetup status "$1"); do
		[ "${token%%=*}" != "$2" ] || { echo "${token#*=}"; return 0; }
	done
	fail "status of $1 has no $2: $(dmsetup status "$1")"
}

# json_value KEY JSON: the first value of that name, a string without its quotes. Starting jq takes a third of a second.
json_value() {
	[[ $2 =~ \"$1\":\ *\"?([^\",}]*) ]] || fail "no $1 in $2"
	echo "${BASH_REMATCH[1]}"
}

# layers NAME: the files of its chain as qcowctl tells them, the base first, a line each.
layers() {
	local json
	json=$(qcowctl status -J "$1") || fail "status of $1"
	json=${json#*\"layers\":}
	while [[ $json =~ \"path\":\ *\"([^\"]*)\" ]]; do
		echo "${BASH_REMATCH[1]}"
		json=${json#*"${BASH_REMATCH[0]}"}
	done
}

# chain_of NAME: likewise in one line, without $T.
chain_of() {
	local list
	mapfile -t list < <(layers "$1")
	list=("${list[@]#"$T/"}")
	echo "${list[*]}"
}

# expected FORMAT PATH FILE: what qemu-img says the disk holds.
expected() { qemu-img convert -f "$1" -O raw "$2" "$3"; }

# same_as NAME FILE [verify.c's options]: the device holds what FILE holds.
same_as() {
	local name=$1 file=$2
	shift 2
	"$BIN/verify" "$@" "/dev/mapper/$name" "$file"
}

# bytes_of SIZE: sets BYTES; a size with or without a suffix: 12k 6M 2T.
bytes_of() {
	local digits=${1%[KMGTkmgt]}
	case ${1#"$digits"} in
	'') BYTES=$digits ;;
	[Kk]) BYTES=$((digits << 10)) ;;
	[Mm]) BYTES=$((digits << 20)) ;;
	[Gg]) BYTES=$((digits << 30)) ;;
	[Tt]) BYTES=$((digits << 40)) ;;
	esac
}

# fill FILE OFFSET LENGTH [SEED]: bytes in which no two sectors are alike; sizes with suffix as bytes_of reads them.
fill() {
	local offset BYTES
	bytes_of "$2"
	offset=$BYTES
	bytes_of "$3"
	"$BIN/stamp" "${4:-1}" "$BYTES" "$1" "$offset"
}

# -- refusals and the kernel log ------------------------------------------------------------------

log_mark() {
	MARK="dm-qcow2-test mark $RANDOM$RANDOM $*"
	echo "<5>$MARK" >/dev/kmsg
}

# sets LOG: the kernel log since the mark. (One process: these are many, and emulation is slow.)
read_log() {
	LOG=$(dmesg -t)
	LOG=${LOG##*"${MARK:-}"}
	LOG=${LOG#$'\n'}
}

log_since_mark() {
	read_log
	echo "$LOG"
}

# matches REGEX TEXT: upper and lower case are alike.
matches() {
	local rc=0
	shopt -s nocasematch
	[[ $2 =~ $1 ]] || rc=1
	shopt -u nocasematch
	return $rc
}

# refused REGEX TABLE-LINE...: the kernel refuses it with one sentence that matches, and says nothing else.
refused() { refused_with --readonly "$@"; }

# refused_rw REGEX TABLE-LINE...: the same for a device that would be written.
refused_rw() { refused_with '' "$@"; }

refused_with() {
	local ro=$1 regex=$2 said='' line
	shift 2
	log_mark refused
	if dmsetup create ${ro:+"$ro"} refused --table "$*" 2>/dev/null; then
		dmsetup remove refused
		fail "accepted: $*"
	fi
	read_log
	while read -r line; do
		case $line in
		'device-mapper: table: '*': qcow2: '*)
			[ -z "$said" ] || fail "a second sentence: $line (first: $said)"
			said=${line#*: qcow2: } ;;
		'device-mapper: ioctl: error adding target to table' | '') ;;
		# a machine that is slow is not what this is about
		'hrtimer: interrupt took '* | 'perf: interrupt took '* | 'clocksource: '* | 'workqueue: '*' hogged CPU '*) ;;
		*) fail "the kernel log also says: $line" ;;
		esac
	done <<<"$LOG"
	[ -n "$said" ] || fail "no sentence for: $*"
	matches "$regex" "$said" || fail "'$said' does not match '$regex' for: $*"
	echo "refused: $said"
}

# unchanged FILE COMMAND...: COMMAND leaves FILE as it is, to the byte and in its times of change.
unchanged() {
	local file=$1 before after
	shift
	before="$(sha256sum <"$file") $(stat -Lc '%s %y %z' "$file")"
	"$@"
	after="$(sha256sum <"$file") $(stat -Lc '%s %y %z' "$file")"
	want "$file" "$before" "$after"
}

# -- fields of an image, for tests that break one -------------------------------------------------

# peek FILE OFFSET BYTES: a big-endian number.
peek() { "$BIN/peek" "$@"; }

# poke FILE OFFSET BYTES VALUE...: big-endian numbers into the file.
poke() { "$BIN/poke" "$@"; }
