# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: an image of two clusters with its map, under every interleaving of a few guests within a bound, with faults and power cuts, reads what was written and stays sound
# needs: compiler, qemu-utils; timeout 900
#
# JOBS=N: processes; BOUND=N: preemptions (1); CHANCE=N: schedules by chance for each mix
"$TOP/tests/deps" unit tool qemu
make -s -C "$TOP" explore-build

explore() { "$TOP/build/explore/explore" -j "${JOBS:-1}" "$@"; }

# mix WORLD OPS: exhaustively with preemptions, then with faults and cuts, then by chance with all of them.
mix() {
	explore --world "$1" --ops "$2" --bound "${BOUND:-1}" --switches 1
	explore --world "$1" --ops "$2" --bound 0 --switches 1 --faults 1 --cuts 1
	explore --world "$1" --ops "$2" --bound 0 --switches 1 --faults 1 --alloc-faults
	explore --world "$1" --ops "$2" --strategy pct --schedules "${CHANCE:-20000}" --faults 1 --cuts 1
	"$TOP/build/explore/explore-asan" --world "$1" --ops "$2" --strategy pct --schedules 3000 --faults 1 --alloc-faults
}

# Writes beside reads, first writes, discards that free what others use, memory given back.
for ops in w0,r0,d0c w1,r1,r1 r0,d0cw1 w1c,w1c w1s,R1r1 d0,w0c,r0 w0w1,d0d1,s w0cc; do
	mix map "$ops"
done
# Tables that are made, and commits that share.
for ops in w0c,w1c w0,w1,r0r1 w0cd0,w1c,s; do
	mix map-empty "$ops"
done

# The check that judged all these says what qemu-img says.
mkdir "$T/images"
explore --world map --ops w1c,d0cw0,w0c --strategy random --schedules 40 --faults 1 --cuts 1 --dump "$T/images"
for image in "$T/images"/*; do
	status=0
	qemu-img check -q -f qcow2 "$image" >"$T/said" 2>&1 || status=$?
	# 3: leaks alone
	if ((status != 0 && status != 3)); then
		cat "$T/said"
		exit 1
	fi
done
