# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: requests, jobs, snapshots, resize, suspend and table swaps beside each other lose nothing and wait for nothing for ever, whatever the order, with faults and power cuts
# needs: compiler, qemu-utils; timeout 1800
#
# JOBS=N: processes; SEED=N; DEEP=N: schedules of a mix at most that are not left to chance; CHANCE=N: those by chance
"$TOP/tests/deps" unit tool qemu
make -s -C "$TOP" explore-build

seed=${SEED:-1}
chance=${CHANCE:-3000}
explore() { "$TOP/build/explore/explore" -j "${JOBS:-1}" "$@"; }
by_chance() { explore --strategy pct --seed "$seed" "$@"; }

while read -r mix; do
	explore --world device --ops "$mix" --bound 1 --switches 1 --schedules "${DEEP:-10000}"
	for world in device device-extended device-merging; do
		n=$chance
		# a schedule takes longer; a merge is over soon
		[ $world = device ] || n=$((chance / 10))
		by_chance --world $world --ops "$mix" --schedules "$n"
		by_chance --world $world --ops "$mix" --schedules "$n" --cuts 1
		by_chance --world $world --ops "$mix" --schedules "$n" --faults 1 --alloc-faults
		by_chance --world $world --ops "$mix" --schedules "$n" --faults 2 --cuts 1
		seed=$((seed + 1))
	done
done < <(grep -v '^#' "$TOP/tests/explore/mixes")
