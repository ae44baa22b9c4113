# Completion of popcorn-cc's command line for bash.

_popcorn_cc() {
    local options="-c -S -E -M -MM -MD -MMD -MF -MT -o -x -I -D -U -L -l -O0 -O1 -O2 -O3 -g -std= -include -isystem -pthread
        -Wall -Wextra -Werror -Wl, -v --help --version -print-file-name= -print-prog-name= -dumpmachine
        -Wl,--no-capture -Wl,--save-temps= -Wl,-Map="
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $previous in
        -I | -L | -isystem | -iquote) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        -x) mapfile -t COMPREPLY < <(compgen -W "c c-header cpp-output none" -- "$word") ;;
        *)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
                [[ ${COMPREPLY[0]} != *[=,] ]] || compopt -o nospace
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            fi ;;
    esac
}

complete -o filenames -F _popcorn_cc popcorn-cc
