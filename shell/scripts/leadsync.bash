# bash completion for leadsync: source <(leadsync completion bash)
_leadsync() {
	local answer place word line cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	answer=$("${1/#\~\//$HOME/}" __complete --word="$cur" "${COMP_WORDS[@]:0:COMP_CWORD}" 2>/dev/null) || return
	place=${answer%%$'\n'*}
	[[ $cur == = ]] && cur=
	case $place in
	file | dir)
		compopt -o filenames 2>/dev/null
		local action=-f
		[[ $place == dir ]] && action=-d
		while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$action" -- "$cur")
		;;
	*)
		while IFS= read -r line; do
			word=${line%%$'\t'*}
			[[ -n $word ]] && COMPREPLY+=("$word")
		done <<<"${answer#"$place"}"
		;;
	esac
}
complete -F _leadsync leadsync
