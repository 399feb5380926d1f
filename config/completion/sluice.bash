# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Completion for bash: asks the command that is being typed what can stand next
# (cli/complete.h). Names may hold any character, so none is expanded.
_sluice()
{
	local word
	COMPREPLY=()
	while IFS= read -r word; do
		if [ -n "$word" ]; then
			COMPREPLY+=("$(printf %q "$word")")
		else
			compopt -o filenames 2>/dev/null
			while IFS= read -r word; do
				COMPREPLY+=("$word")
			done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		fi
	done < <("$1" help --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _sluice sluice
