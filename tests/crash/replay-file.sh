# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the same with images in files of ext4: after each power cut the file system's journal is played back, then the image is judged
# needs: vm 6.12, compiler, qemu-utils, e2fsprogs; timeout 900
#
# What the file system writes is logged by QEMU (blklogwrites). STATES and SEED as in replay-block.
"$TOP/tests/deps" tool qemu unit image
make -s -C "$TOP" crash-replay
"$TOP/build/crash/crash-replay" --seed "${SEED:-1}" --states "${STATES:-600}" --dir "$T" file "$TOP/tests/crash/replay/boot"
