# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a job that ends between two questions to the kernel is told of as it is: the chain without what was merged, the files that are not needed any more, removed with --delete; one that ends before it can be cancelled has ended
# needs: vm 6.12 (6.1 7.2) timeout 120

for verb in commit stream; do
	qcowctl create "$T/base" 32M
	qcowctl create -b base -F qcow2 "$T/top"
	qcowctl attach -n disk "$T/top"
	unneeded=$T/base
	[ $verb = stream ] || unneeded=$T/top
	dd if=/dev/urandom of=/dev/mapper/disk bs=1M count=12 oflag=direct status=none
	if [ $verb = stream ]; then
		# the base has what is pulled up
		qcowctl commit disk
		qcowctl snapshot disk "$T/top2"
		unneeded=$T/base
	fi
	rc=0
	"$BIN/fail-ioctl" -w 1500 qcowctl $verb --delete disk >"$T/out" 2>"$T/said" || rc=$?
	cat "$T/out" "$T/said"
	want "status of $verb" 0 $rc
	want "sentences of $verb" 0 "$(grep -vc '^fail-ioctl: waits$' "$T/said")"
	want "removed by $verb" "$unneeded" "$(sed -n 's/^removed: //p' "$T/out")"
	[ ! -e "$unneeded" ] || fail "$unneeded is still there"
	qcowctl detach disk
	rm -f "$T"/*
done

# it ends after it was looked at, and before it is told to
qcowctl create "$T/base" 8M
qcowctl create -b base -F qcow2 "$T/top"
qcowctl attach -n disk "$T/top"
dd if=/dev/urandom of=/dev/mapper/disk bs=1M count=1 oflag=direct status=none
qcowctl commit -b --rate 1k disk
"$BIN/fail-ioctl" -w 5000 qcowctl job --cancel disk 2>"$T/said" &
pid=$!
until grep -q waits "$T/said"; do sleep 0.1; done
dmsetup message disk 0 job rate 0
rc=0
wait $pid || rc=$?
cat "$T/said"
want "status" 1 $rc
want "what it says" "qcowctl: disk: the commit job had ended before: done" "$(grep -v '^fail-ioctl' "$T/said")"
qcowctl detach disk
