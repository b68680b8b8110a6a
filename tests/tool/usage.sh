# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: help, manual, completion and parser agree on verbs and options; wrong usage is 2, help and version are 0
# needs: compiler, qemu-utils
. "$TOP/tests/tool/lib.sh"
manual=$TOP/userspace/qcowctl.8

status 0 qcowctl --version
grep -qE '^qcowctl [0-9]+\.[0-9]+\.[0-9]+$' out
status 0 qcowctl --help
cp out help
status 2 qcowctl
status 2 qcowctl nonsense
status 2 qcowctl --nonsense
status 0 qcowctl --complete
cp out complete

verbs=$(awk -F '\t' '$2 == "verb" { print $1 }' complete)
want "verbs" "create info check map attach detach list status snapshot commit stream job resize rebase" "$(xargs <<<"$verbs")"
for verb in $verbs; do
	grep -q "^  $verb " help || fail "$verb is not in the help"
	grep -q "^\.SS $verb\$" "$manual" || fail "$verb is not in the manual"
	status 0 qcowctl "$verb" --help
	cp out help.verb
	want "help -h" same "$(qcowctl "$verb" -h | cmp - help.verb && echo same)"
	while IFS=$'\t' read -r _ kind option; do
		option=${option%%$'\t'*}
		grep -q -- "$option" help.verb || fail "$verb $option is not in its help"
		[ "$option" = --help ] || grep -q -- "${option//-/\\\\-}" "$manual" || fail "$verb $option is not in the manual"
		usage=2
		[ "$verb" != check ] || usage=1
		if [ "$kind" = value ]; then
			status $usage qcowctl "$verb" "$option"
			grep -q 'needs a value' err
		fi
	done < <(grep -P "^$verb\t(value|switch)" complete)
	status $usage qcowctl "$verb" --nonsense
	grep -q 'no option --nonsense' err
	grep -q "^Usage: qcowctl $verb" err
	status $usage qcowctl "$verb" -%
	# nothing in a help line is wider than a terminal
	[ "$(wc -L <help.verb)" -le 90 ] || fail "the help of $verb is wide"
done
for verb in info check map attach status commit stream job; do
	usage=2
	[ $verb != check ] || usage=1
	status $usage qcowctl $verb
	status $usage qcowctl $verb a b
done
status 2 qcowctl create a 1M b
status 2 qcowctl list a
status 2 qcowctl detach
status 2 qcowctl detach --all a
status 2 qcowctl list -o NAME,NONSENSE
status 2 qcowctl snapshot a
status 2 qcowctl snapshot a b c
status 2 qcowctl snapshot -J a b
for seconds in 0 3601 -1 1x ''; do
	status 2 qcowctl snapshot --timeout "$seconds" a b
done
status 2 qcowctl snapshot --internal --timeout 3 delete a b
status 2 qcowctl snapshot -o cluster_size=3 a b
status 2 qcowctl snapshot -o size=1M a b
status 2 qcowctl snapshot --internal -o cluster_size=64k create a b
for verb in commit stream; do
	status 2 qcowctl $verb --rate much a
	status 2 qcowctl $verb -b --delete a
done
status 2 qcowctl job --rate much a
status 2 qcowctl job --cancel --wait a
status 2 qcowctl job -J --wait a

# an answer that could not be written is no success
qcowctl create image 1M
if qcowctl info image >/dev/full 2>err; then fail "half an answer"; fi
grep -q 'could not write' err
# options may come last, and -- ends them
status 0 qcowctl info image -J
cp image ./-J
status 0 qcowctl info -- -J
grep -q '^image: -J' out

# completion by bash
compopt() { :; }
complete() { :; }
# shellcheck source=userspace/completion.bash
. "$TOP/userspace/completion.bash"
# completes EXPECTED WORD...: the last one is to be completed
completes() {
	local expected=$1
	shift
	COMP_WORDS=(qcowctl "$@") COMP_CWORD=$#
	_qcowctl
	want "completion of $*" "$expected" "${COMPREPLY[*]}"
}
completes 'create check commit' c
completes '--version' --v
completes '--backing-format' attach --ba
completes 'qcow2' attach -f q
completes 'raw' attach -r -f r
completes 'image' info im
completes 'leaks' check -r l
completes 'STATE' list -o STA
completes '' list x
completes 'image' commit --base im
completes 'apply' snapshot --internal ap
completes 'image' snapshot --internal apply im
