# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: a device that is written has two tables now and then, loaded and cleared, or loaded and swapped in: the image stays open and fit for writing, nothing is lost, and it never looks dirty (lazy refcounts)
# needs: vm 6.12 (6.1 7.2) timeout 600

for options in lazy_refcounts=on cluster_size=4k; do
	truncate -s 12M "$T/base"
	fill "$T/base" 0 5M
	qemu-img create -q -f qcow2 -o $options -b "$T/base" -F raw "$T/image"
	attach_rw disk qcow2 "$T/image" raw "$T/base"
	"$BIN/churn" /dev/mapper/disk "$T/model" 4 600 4 &
	churn=$!
	line=$(dmsetup table disk)
	swaps=0
	while kill -0 $churn 2>/dev/null; do
		# the second user comes and goes
		dmsetup load disk --table "$line"
		dmsetup clear disk
		# the second user stays, and the first goes
		dmsetup load disk --table "$line $(((swaps % 2) + 1)) $( ((swaps % 2)) && echo map_limit:64 cache_limit:64 || echo map_limit:64)"
		dmsetup suspend disk
		dmsetup resume disk
		want "dirty, after $swaps swaps" 0 $(($(peek "$T/image" 72 8) & 1))
		swaps=$((swaps + 1))
	done
	wait $churn || fail "churn"
	echo "$swaps swaps"
	((swaps > 3)) || fail "too few"
	same_as disk "$T/model"
	want errors 0 "$(status_of disk errors)"
	detach disk
	qemu-img check "$T/image" || fail "qemu-img check"
	qemu-img compare -f qcow2 -F raw "$T/image" "$T/model" || fail "qemu-img reads something else"
done
