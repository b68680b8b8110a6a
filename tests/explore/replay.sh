# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the explorer finds the same with the same seed, in one process or two, and what it prints replays
# needs: compiler; timeout 300
"$TOP/tests/deps" unit tool
make -s -C "$TOP" explore-build
explore=$TOP/build/explore/explore

# Counts and failures, without the times.
run() { "$explore" "$@" | sed 's/;.* CPU time.*//'; }

for args in '--strategy pct --seed 7 --schedules 2000' '--strategy random --seed 7 --schedules 2000' '--bound 1'; do
	for world in map lock/lost-update wait/lost-wake-up rcu/use-after-free; do
		# shellcheck disable=SC2086
		run --world $world $args >"$T/one"
		# shellcheck disable=SC2086
		run --world $world $args >"$T/two"
		cmp "$T/one" "$T/two"
		schedule=$(sed -n 's/.*--replay \([^ ]*\) .*/\1/p' "$T/one")
		[[ $world != map ]] || { [ -z "$schedule" ] && continue; }
		sed -n 's/^     as it must: //p' "$T/one" >"$T/why"
		run --world $world --replay "$schedule" | sed -n 's/^     as it must: //p' | cmp - "$T/why"
	done
done

# Which failure is the first one does not depend on how many look for it.
for j in 1 2 3; do
	run --world lock/lost-update --strategy random --seed 3 --schedules 5000 -j $j | grep -- '--replay' >"$T/j$j"
done
cmp "$T/j1" "$T/j2"
cmp "$T/j1" "$T/j3"
