# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: swap on a device while memory is exhausted, with an image that has to allocate and to copy, and with one of subclusters (--seconds: and one that has it all): no deadlock, and every page comes back as it was
# needs: vm 6.12 (6.1 7.2 debug), timeout 1800

tests/stress/run --kernel "$KERNEL" --mem "$([ "$KERNEL" = debug ] && echo 1G || echo 288M)" ${SEED:+--seed "$SEED"} ${FUZZ_SECONDS:+--seconds "$FUZZ_SECONDS"} swap
