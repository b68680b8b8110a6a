# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion for qcowctl: it asks the program itself (qcowctl --complete), so the two cannot differ.

# _qcowctl_offer KIND WORD: KIND as in struct option_spec: file, directory, device, either, or the words.
_qcowctl_offer() {
	case $1 in
	file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
	either)
		local files
		_qcowctl_offer file "$2"
		files=("${COMPREPLY[@]}")
		_qcowctl_offer device "$2"
		COMPREPLY+=("${files[@]}") ;;
	device) _qcowctl_offer "$(qcowctl list -n --raw -o NAME 2>/dev/null) " "$2" ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
	esac
}

_qcowctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local verb what kind option verbs='' options='' arguments=''
	COMPREPLY=()
	# Fields: verb, "verb", kind of its arguments; or verb, "switch" or "value", option, kind of the value.
	# Tabs become another mark, for read takes two tabs for one.
	while IFS=$'\x1f' read -r verb what option kind; do
		if [ "$what" = verb ]; then
			verbs+=" $verb"
			[ "$verb" != "${COMP_WORDS[1]}" ] || arguments=$option
		elif [ "$verb" = "${COMP_WORDS[1]}" ]; then
			options+=" $option"
			if [[ $what == value && $option == "$before" ]]; then
				_qcowctl_offer "$kind" "$word"
				return
			fi
		fi
	done < <(qcowctl --complete 2>/dev/null | tr '\t' '\037')
	if ((COMP_CWORD == 1)); then
		_qcowctl_offer "$verbs --help --version" "$word"
	elif [ "$before" = --internal ]; then
		_qcowctl_offer 'create apply delete list' "$word"
	elif [[ $word == -* ]]; then
		_qcowctl_offer "$options" "$word"
	else
		_qcowctl_offer "$arguments" "$word"
	fi
}

complete -F _qcowctl qcowctl
