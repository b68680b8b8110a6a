# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: beside 32 writers who always want new clusters, one who wants a large range has his turn after those who came before: a discard and a write of zeroes of 1 GiB, the begin and the end of a job, and a suspend that waits for it
# rule: FAIR-RANGES
# needs: vm 6.12 (6.1 7.2) timeout 180

WRITERS=32
C=65536
SIZE=$((1 << 30))

# A test that fails is not to leave a device that nobody can remove.
trap 'dmsetup resume disk 2>/dev/null || true' EXIT

# beside MOST COMMAND...: that ends before the writers have written so many times more.
FIRST=0
beside() {
	"$BIN/crowd" /dev/mapper/disk $WRITERS $C $FIRST "$@" || fail "${*:2}: it is never its turn beside $WRITERS writers"
	FIRST=$((FIRST + $1 + 10 * WRITERS))
}

# the job's end, with nothing of it left to do
cat >"$T/begin" <<END
set -e
dmsetup message disk 0 commit $T/top $T/base rate:1
dmsetup suspend --nolockfs disk
dmsetup resume disk
END
cat >"$T/cancel" <<'END'
set -e
dmsetup message disk 0 job cancel
while [[ $(dmsetup status disk) == *job_state=running* ]]; do
	:
done
END

qemu-img create -q -f qcow2 -o cluster_size=$C "$T/base" $SIZE
qemu-img create -q -f qcow2 -o cluster_size=$C -b base -F qcow2 "$T/top"
attach_rw disk qcow2 "$T/top" qcow2 "$T/base"
beside 400 discard
beside 400 zero
beside 2000 bash "$T/begin"
beside 2000 bash "$T/cancel"
want errors 0 "$(status_of disk errors)"
detach disk
qemu-img check -q "$T/top"
qemu-img check -q "$T/base"
