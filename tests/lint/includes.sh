# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: includes run down only, and the check of it finds those that do not
# needs: nothing
lint=$TOP/tests/lint/includes
"$lint"

# refuses FILE LINE: with this line added to a copy the check fails, and says where.
refuses() {
	rm -rf "$T/module"
	cp -r "$TOP/module" "$T/module"
	echo "$2" >>"$T/module/$1"
	if "$lint" "$T/module" >"$T/out"; then
		echo "not found in $1: $2"
		return 1
	fi
	grep -q "^$1:" "$T/out"
}
refuses format/l2.c "#include \"image/image.h\""
refuses format/err.h "#include \"chain/map.h\""
refuses image/cache.c "#include \"io/host.h\""
refuses chain/chain.h "#include <linux/bio.h>"
refuses chain/map.c "  #  include <linux/bio.h>"
refuses io/device.c "#include \"target/table.h\""
refuses io/device.c "#include \"../target/table.h\""
refuses serve/change.c "#include \"io/host.h\""
refuses job/job.h "#include <linux/bio.h>"
refuses image/image.c "#ifdef __KERNEL__"
refuses image/image.h "#ifndef Q2_OTHER_H"
mkdir "$T/module/other"
refuses io/device.c "#include \"other/thing.h\""
