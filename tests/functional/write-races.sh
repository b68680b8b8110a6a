# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: writes, discards and zeroes that meet in one cluster while the first of them is held by the device below, and a read that is held while its cluster is freed and given away: none is lost, none shows another's bytes, the image is clean
# rule: ONE-CHANGER, NO-REUSE
# needs: vm 6.12 (6.1 7.2)

K=1024
C=$((64 * K))
SIZE=$((4 << 20))
truncate -s $SIZE "$T/base"
fill "$T/base" 0 4M 1
fill "$T/new" 0 4M 2

# What is done with the bytes from OFFSET on; a write writes those of the file "new".
put() { dd if="$T/new" of="$1" bs="$3" count=1 skip="$2" seek="$2" iflag=skip_bytes oflag=seek_bytes,direct conv=notrunc status=none; }
zero() { fallocate -n -z -o "$2" -l "$3" "$1"; }
punch() { fallocate -n -p -o "$2" -l "$3" "$1"; }
forget() { blkdiscard -o "$2" -l "$3" "$1"; }

# held FIRST SECOND: SECOND is asked for while the device below holds FIRST. Each is "COMMAND OFFSET LENGTH".
held() {
	local before first second one two
	read -ra first <<<"$1"
	read -ra second <<<"$2"
	before=$(status_of disk allocating)
	dmsetup suspend --noflush --nolockfs lower
	"${first[0]}" /dev/mapper/disk "${first[@]:1}" &
	one=$!
	while (($(status_of disk allocating) == before)); do
		sleep 0.02
	done
	sleep 0.2
	"${second[0]}" /dev/mapper/disk "${second[@]:1}" &
	two=$!
	sleep 0.4
	dmsetup resume lower
	wait $one || fail "$1, held"
	wait $two || fail "$2, after $1"
}

# both FIRST SECOND: as held; they touch different sectors, so both must be seen.
both() {
	local op
	echo "$*"
	held "$@"
	for op in "$@"; do
		read -ra op <<<"$op"
		[ "${op[0]}" = put ] || op[0]=zero
		"${op[0]}" "$T/model" "${op[@]:1}"
	done
}

# gone FIRST SECOND: as held; SECOND frees the cluster of FIRST, before or after it.
gone() {
	local offset
	echo "$*"
	held "$@"
	read -r _ offset _ <<<"$2"
	put /dev/mapper/disk "$offset" $C
	put "$T/model" "$offset" $C
}

# begin OPTIONS [-c]: a new image over the base in "model", or with its data, compressed
begin() {
	local backing=(-b "$T/base" -F raw)
	pool lower $((16 << 20))
	good=$(dmsetup table lower)
	layers=(raw "$T/base")
	if [ "${2:-}" ]; then
		qemu-img convert -c -f raw -O qcow2 ${1:+-o "$1"} "$T/base" "$T/packed"
		to_block "$T/packed" /dev/mapper/lower
		layers=()
	else
		qemu-img create -q -f qcow2 ${1:+-o "$1"} "${backing[@]}" /dev/mapper/lower $SIZE
	fi
	[ ! "${snapshot:-}" ] || {
		qemu-io -f qcow2 -c 'write -q -P 7 0 1M' /dev/mapper/lower
		qemu-img snapshot -c before /dev/mapper/lower
	}
	qemu-img convert -f qcow2 -O raw /dev/mapper/lower "$T/model"
	attach_rw disk qcow2 /dev/mapper/lower "${layers[@]}"
	# the tables are known, so that nothing has to be read while the device below is held
	put /dev/mapper/disk $((SIZE - C)) $C
	put "$T/model" $((SIZE - C)) $C
}

end() {
	same_as disk "$T/model" >/dev/null
	detach disk
	qemu-img check -q -f qcow2 /dev/mapper/lower || fail "qemu-img check"
	qemu-img compare -q -f qcow2 -F raw /dev/mapper/lower "$T/model" || fail "qemu-img compare"
	detach lower
	pool_reset
}

echo "-- clusters of the base below"
begin ''
both "put 0 4096" "put $((8 * K)) 4096"
both "put $((C + 8 * K)) 4096" "zero $C 4096"
both "put $((3 * C)) 512" "put $((4 * C - 512)) 1024"
end

echo "-- clusters that read zeroes and have a place"
begin ''
put /dev/mapper/disk 0 $((8 * C))
put "$T/model" 0 $((8 * C))
zero /dev/mapper/disk 0 $((8 * C))
zero "$T/model" 0 $((8 * C))
gone "put 0 4096" "forget 0 $C"
gone "put $C 4096" "punch $C $C"
both "put $((3 * C)) 4096" "zero $((3 * C + 32 * K)) 4096"
end

echo "-- subclusters"
begin extended_l2=on
put /dev/mapper/disk $((10 * K)) 2048
put "$T/model" $((10 * K)) 2048
put /dev/mapper/disk $((C + 10 * K)) 2048
put "$T/model" $((C + 10 * K)) 2048
gone "put 0 1024" "forget 0 $C"
gone "put $C 1024" "punch $C $C"
both "put $((4 * C)) 2048" "zero $((4 * C + 2 * K)) 4096"
end

echo "-- compressed clusters"
begin '' -c
both "put 0 4096" "zero $((8 * K)) 4096"
gone "put $((2 * C)) 4096" "forget $((2 * C)) $C"
end

echo "-- clusters of an internal snapshot"
snapshot=1 begin ''
both "put 0 4096" "put $((8 * K)) 4096"
gone "put $((2 * C)) 4096" "forget $((2 * C)) $C"
gone "put $((3 * C)) 4096" "zero $((3 * C)) $C"
end

# A read finds its cluster and is held below. The cluster is freed meanwhile, that is made durable, and another one is
# written, which gets the place: it has to wait for the read.
echo "-- a read of a cluster that goes"
# host_of CLUSTER: where it lies; of the first L2 table
host_of() {
	local l2
	blockdev --flushbufs /dev/mapper/lower
	l2=$(($(peek /dev/mapper/lower "$(peek /dev/mapper/lower 40 8)" 8) & 0xffffffffffff))
	echo $(($(peek /dev/mapper/lower $((l2 + 8 * $1)) 8) & 0xffffffffffff))
}
begin ''
put /dev/mapper/disk 0 $C
flush
host=$(host_of 0)
start=${good##* } at=$((host / 512)) sectors=$((C / 512)) after=$(((host + C) / 512))
dmsetup reload lower <<END
0 $at linear $POOL $start
$at $sectors delay $POOL $((start + at)) 1500 $POOL $((start + at)) 0
$after $(((16 << 20) / 512 - after)) linear $POOL $((start + after))
END
dmsetup suspend lower
dmsetup resume lower
dd if=/dev/mapper/disk of="$T/read" bs=$C count=1 iflag=direct status=none &
reader=$!
sleep 0.3
forget /dev/mapper/disk 0 $C
flush
put /dev/mapper/disk $((5 * C)) $C
put "$T/model" $((5 * C)) $C
wait $reader
cmp -n $C "$T/new" "$T/read" || fail "the read shows what another cluster holds"
zero "$T/model" 0 $C
flush
want "the place of the cluster that went is that of the one that came" "$host" "$(host_of 5)"
end
