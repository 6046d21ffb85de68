# bash completion for skep: the program itself knows what can come next.

_skep()
{
	local line

	COMPREPLY=()
	while IFS= read -r line; do
		COMPREPLY+=("${line%%$'\t'*}")
	done < <(skep __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.] ]]; then
		compopt -o nospace
	fi
}

complete -o default -F _skep skep
