#compdef leadsync
# zsh completion for leadsync: source <(leadsync completion zsh), or this file as _leadsync in a directory of $fpath.
_leadsync() {
	local line word help place
	local -a answer candidates
	answer=("${(@f)$(${~words[1]} __complete --word="${words[CURRENT]}" "${(@)words[1,CURRENT-1]}" 2>/dev/null)}")
	place=$answer[1]
	case $place in
	file)
		compset -P '--[a-z-]#='
		_files
		;;
	dir)
		compset -P '--[a-z-]#='
		_files -/
		;;
	words)
		for line in "${(@)answer[2,-1]}"; do
			word=${line%%$'\t'*}
			help=${line#*$'\t'}
			candidates+=("${word//:/\\:}${help:+:$help}") # a colon with nothing behind it is shown
		done
		_describe -V leadsync candidates
		;;
	esac
}
if [[ $funcstack[1] == _leadsync ]]; then
	_leadsync "$@"
else
	compdef _leadsync leadsync
fi
