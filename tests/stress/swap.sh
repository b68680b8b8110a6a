# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: swap on a device while memory is exhausted, with an image that has to allocate, and with one that need not: no deadlock, and every page comes back as it was
# needs: vm 6.12 (6.1 7.2 debug), timeout 1800

tests/stress/run --kernel "$KERNEL" --mem "$([ "$KERNEL" = debug ] && echo 1G || echo 288M)" ${SEED:+--seed "$SEED"} swap
