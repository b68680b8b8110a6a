# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: every rule of Documentation/protocol.md is named by the code that obeys it and by a test that breaks without it, no other rule is named, and the check of it finds what is amiss
# needs: nothing
lint=$TOP/tests/lint/rules
"$lint"

# Of those that name any.
cd "$TOP" || exit
mapfile -t files < <(grep -rlIE '[A-Z]-[A-Z]+-[A-Z]|[A-Z]-[A-Z]+[:)]|# rule: ' module tests)

# refuses SAYS COMMAND...: after this, in a copy, the check fails, and says so.
refuses() {
	local says=$1
	shift
	rm -rf "$T/tree"
	mkdir "$T/tree"
	cp --parents Documentation/protocol.md "${files[@]}" "$T/tree/"
	(cd "$T/tree" && "$@")
	if "$lint" "$T/tree" >"$T/out"; then
		echo "not found: $says"
		return 1
	fi
	grep -qxF "$says" "$T/out" || { echo "not said: $says"; cat "$T/out"; return 1; }
}
# unnamed DIR NAME: nobody in DIR has heard of it.
unnamed() { grep -rlIw -- "$2" "$1" | xargs sed -i "s/\b$2\b/another/g"; }
# add FILE LINE
add() { echo "$2" >>"$1"; }
unknown() { echo "$1: there is no rule $2 in Documentation/protocol.md"; }

test=tests/functional/range-fair.sh
for rule in TOKEN-FIRST STATUS-NEVER-WAITS; do
	refuses "module: $rule is named nowhere" unnamed module $rule
	refuses "tests: $rule is named nowhere" unnamed tests $rule
	refuses "$(unknown module/serve/op.h $rule-ONCE)" add module/serve/op.h "/* $rule, $rule-ONCE: nobody waits. */"
	refuses "$(unknown module/io/request.c $rule-ONCE)" add module/io/request.c "/* Nobody waits ($rule-ONCE). */"
	refuses "$(unknown $test $rule-ONCE)" add $test "# rule: $rule, $rule-ONCE"
	refuses "$(unknown tests/explore/mutate $rule-ONCE)" add tests/explore/mutate "mutation a b c # rule: $rule-ONCE"
done
page=Documentation/protocol.md
refuses "$(unknown module/serve/disk.c NO-REUSE)" sed -i 's/^\*\*NO-REUSE/**NEVER-AGAIN/' $page
refuses "$page: it has no rule NO-REUSE" sed -i 's/^\*\*NO-REUSE/**NEVER-AGAIN/' $page
refuses "$page: no rule has a name" sed -i 's/^\*\*/* /' $page
