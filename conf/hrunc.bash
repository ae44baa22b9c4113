# Completion of hrunc's command line for bash. runc's verbs and options are those of runc 1.3.

_hrunc_options() {
    case $1 in
        setup) echo "--file --remove --restart --dry-run --json --help" ;;
        check) echo "--json --help" ;;
        migrate) echo "--port --name --image --volumes --keep-source --dry-run --recover --json --help" ;;
        recode) echo "--target --output --root --host --seccomp --bundle --json --help" ;;
        inspect) echo "--json --pages --help" ;;
        host) echo "--help" ;;
        notify) echo "--timeout --undo --json --help" ;;
        checkpoint)
            echo "--image-path --work-path --parent-path --leave-running --tcp-established --tcp-skip-in-flight
                --link-remap --ext-unix-sk --shell-job --lazy-pages --status-fd --page-server --file-locks --pre-dump
                --manage-cgroups-mode --empty-ns --auto-dedup --help" ;;
        restore)
            echo "--console-socket --image-path --work-path --tcp-established --ext-unix-sk --shell-job --file-locks
                --manage-cgroups-mode --bundle --detach --pid-file --no-subreaper --no-pivot --empty-ns --auto-dedup
                --lazy-pages --lsm-profile --lsm-mount-context --help" ;;
        "") echo "--debug --log --log-format --root --criu --systemd-cgroup --rootless --help --version" ;;
        *) echo "--help" ;;
    esac
}

_hrunc() {
    local verbs="setup check migrate recode inspect host notify checkpoint create delete events exec features help kill list
        pause ps restore resume run spec start state update"
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb="" at
    for ((at = 1; at < COMP_CWORD; ++at)); do
        case ${COMP_WORDS[at]} in
            --log | --log-format | --root | --criu | --rootless) ((++at)) ;;
            -*) ;;
            *)
                verb=${COMP_WORDS[at]}
                break ;;
        esac
    done
    COMPREPLY=()
    case $previous in
        --log-format) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$word") ;;
        -t | --target) mapfile -t COMPREPLY < <(compgen -W "x86-64 aarch64" -- "$word") ;;
        --log | --root | --criu | --file | --output | -o | --image | --host | --seccomp | --bundle | *-path | --pid-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        *)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_hrunc_options "$verb")" -- "$word")
            elif [[ -z $verb || $verb == help ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
            elif [[ $verb == recode || $verb == inspect ]]; then
                mapfile -t COMPREPLY < <(compgen -d -- "$word")
            elif [[ $verb == check ]]; then
                mapfile -t COMPREPLY < <(compgen -A hostname -- "$word")
            fi ;;
    esac
}

complete -o filenames -F _hrunc hrunc
