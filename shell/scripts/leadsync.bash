# bash completion for leadsync: source <(leadsync completion bash)
_leadsync() {
	local answer place word line cur between rest=$COMP_LINE last=-1
	local -a words
	COMPREPLY=()
	# bash splits words at colons, too: what stands together in the line is one word here.
	for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
		between=${rest%%"$word"*}
		rest=${rest#*"$word"}
		if [[ -n $word && -z $between && last -ge 0 && ($word == :* || ${words[last]} == *:) ]]; then
			words[last]+=$word
		else
			words[++last]=$word
		fi
	done
	cur=${words[last]}
	answer=$("${1/#\~\//$HOME/}" __complete --word="$cur" "${words[@]:0:last}" 2>/dev/null) || return
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
	# bash replaces only what stands behind the last colon.
	[[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
}
complete -F _leadsync leadsync
