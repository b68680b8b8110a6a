# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the explorer's locks, waits, RCU, work, time and files behave as the kernel's, in every order, and it finds what is wrong on purpose
# needs: compiler; timeout 600
"$TOP/tests/deps" unit tool
make -s -C "$TOP" explore-build
# Under ASan, plain accesses are seen as well.
"$TOP/build/explore/explore-asan" --world 'rcu/*' 2>/dev/null
"$TOP/build/explore/explore" --world 'lock/*' --world 'wait/*' --world 'rcu/*' --world 'work/*' --world 'store/*'
