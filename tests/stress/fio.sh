# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: fio with verification on the device and under ext4, xfs and btrfs, with fstrim and fsck, on images of many kinds: what was written is read, then and after the next attachment (--seconds: for as long as that)
# needs: vm 6.12 (6.1 7.2 debug), timeout 86400

tests/stress/run --kernel "$KERNEL" ${SEED:+--seed "$SEED"} ${FUZZ_SECONDS:+--seconds "$FUZZ_SECONDS"} fio
