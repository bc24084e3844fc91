# Completion for the tools of psgraph(7).  What there is to choose from is read off the tool's own -h.

_psgraph() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} help line
    COMPREPLY=()
    help=$("$1" -h 2>/dev/null) || return
    # "--name WORD" with "one|of|these" in its text: the option before is one of these.
    if [[ $prev == -* ]]; then
        line=$(grep -E -- "^ +(-., )?$prev |^ +$prev, --" <<<"$help" | head -n 1)
        if [[ $line =~ :\ ([a-z0-9-]+(\|[a-z0-9-]+)+)\ \[ ]]; then
            mapfile -t COMPREPLY < <(compgen -W "${BASH_REMATCH[1]//|/ }" -- "$cur")
            return
        fi
        # One that takes an argument: a file, perhaps.
        if [[ $line =~ --[a-z0-9-]+\ [A-Z] ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
        fi
    fi
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '^ +(-., )?--[a-z0-9-]+' <<<"$help" | tr ',' ' ')" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}

complete -o filenames -F _psgraph psgraph-build psfeat pswalk psneigh pstrain psembed psknn pseval psview
