# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: power cuts below the device, its images on block devices: at every flush and between, whatever part of what was not flushed got there, qemu-img check finds leaks at most, the image goes on, what was flushed is there, nothing else is
# needs: vm 6.12, compiler, qemu-utils; timeout 900
#
# What the device writes is logged by dm-log-writes. STATES=N: about so many states in all; SEED=N: other workloads and
# other cuts. More at length: build/crash/crash-replay --seconds N (tests/crash/replay/replay.c).
"$TOP/tests/deps" tool qemu unit
make -s -C "$TOP" crash-replay
"$TOP/build/crash/crash-replay" --seed "${SEED:-1}" --states "${STATES:-1500}" --dir "$T" block "$TOP/tests/crash/replay/boot"
