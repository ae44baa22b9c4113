# shellcheck shell=bash disable=SC2154,SC2034,SC2029
# (variables of the sourced parts; commands for guests are quoted here on purpose)
# Into and out of guests, over one multiplexed ssh connection each.

ssh_options() {
    printf '%s\n' -F /dev/null -i "$key_dir/host" -o IdentitiesOnly=yes \
        -o "UserKnownHostsFile=$key_dir/known_hosts" -o HostKeyAlias=hrunc-rig \
        -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=ERROR -o ConnectTimeout=5 \
        -o "ControlPath=$(control_socket "$1")" -p "$(guest_port "$1")"
}

# open_ssh ISA: starts the connection that the others share.
open_ssh() {
    local options
    mapfile -t options < <(ssh_options "$1")
    rm -f "$(control_socket "$1")"
    ssh "${options[@]}" -o ControlMaster=yes -o ServerAliveInterval=60 -fN root@127.0.0.1 \
        </dev/null >/dev/null 2>&1 8>&- 9>&-
}

close_ssh() {
    local options
    [[ -S $(control_socket "$1") && -e $(run_dir "$1")/port ]] || return 0
    mapfile -t options < <(ssh_options "$1")
    ssh "${options[@]}" -O exit root@127.0.0.1 >/dev/null 2>&1 || :
}

need_up() {
    local panic console
    console=$(run_dir "$1")/console.log
    if [[ ! $(guest_pid "$1") ]]; then
        [[ ! -e $(run_dir "$1")/port ]] || panic=$(grep -a -m 1 -o 'Kernel panic.*' "$console" || echo 'QEMU is gone')
        die "$suite-$1 ${panic:+ended by itself ($panic; its console: $console), so it }is not up: run 'rig up --suite $suite $1'"
    fi
    [[ -S $(control_socket "$1") ]] || open_ssh "$1" ||
        die "$suite-$1: ssh does not answer; its console: $console"
}

# guest_ssh ISA COMMAND...: ssh joins the words with blanks, so they have to be quoted.
guest_ssh() {
    local isa=$1 options
    shift
    mapfile -t options < <(ssh_options "$isa")
    ssh "${options[@]}" "${tty[@]}" root@127.0.0.1 "$@"
}

# quoted WORD...: one string that a shell reads as these words.
quoted() { printf '%q ' "$@"; }

verb_run() {
    local isa=$1
    shift
    if [[ ${1-} == -- ]]; then shift; fi
    need_up "$isa"
    if [[ -t 0 && -t 1 ]]; then tty=(-t); fi
    if (($# == 0)); then guest_ssh "$isa"; else guest_ssh "$isa" "$(quoted "$@")"; fi
}

verb_put() { # ISA SRC DST
    local isa=$1 src=$2 dst=$3
    [[ -e $src ]] || die "put: no file '$src' on this host"
    src=$(realpath -s -- "$src")
    need_up "$isa"
    # Less for ssh to decipher in the guest, which is what takes the time.
    tar -C "$(dirname -- "$src")" -c -- "$(basename -- "$src")" | zstd -q -3 |
        guest_ssh "$isa" "zstd -dq | $(quoted rig-recv "$dst" "$(basename -- "$src")")"
}

# tar_of PATH: a shell command that writes a tar stream with the path's last part alone in it.
tar_of() { quoted tar -C "$(dirname -- "$1")" -c -- "$(basename -- "$1")"; }

verb_get() { # ISA SRC DST
    local isa=$1 src=$2 dst=$3
    need_up "$isa"
    guest_ssh "$isa" "$(tar_of "$src")" </dev/null |
        bash "$rig_dir/guest/rig-recv" "$dst" "$(basename -- "$src")"
}

# Not through the host: see guest/rig-lan.
verb_send() { # FROM TO PATH [DST]
    local from=$1 to=$2 src=$3 dst=${4:-$3} port=$((10000 + RANDOM % 20000)) receiver failed=no
    [[ $from != "$to" ]] || die "send: both ends are $from"
    need_up "$from"
    need_up "$to"
    guest_ssh "$from" "$(quoted test -e "$src")" </dev/null || die "send: no file '$src' in $suite-$from"
    set_isa "$to"
    guest_ssh "$to" "$(quoted rig-lan recv "$port" "$dst" "$(basename -- "$src")")" </dev/null &
    receiver=$!
    guest_ssh "$from" "$(quoted rig-lan send "$lan_ip" "$port" "$src")" </dev/null || failed=yes
    wait "$receiver" || failed=yes
    [[ $failed == no ]] || die "send: '$src' did not get from $suite-$from to '$dst' in $suite-$to"
}

# A connection to HERE is one from the guest; where nothing listens there, it ends at once.
verb_forward() { # ISA [ADDRESS:]PORT HERE
    local options to=$2 here=$3
    need_up "$1"
    [[ $to == *:* ]] || to=127.0.0.1:$to
    [[ $here == /* ]] || here=127.0.0.1:$here
    mapfile -t options < <(ssh_options "$1")
    # An earlier one to the same place would stay, without its socket.
    ssh "${options[@]}" -O cancel -L "$here:$to" root@127.0.0.1 2>/dev/null || :
    [[ $here != /* ]] || rm -f "$here"
    ssh "${options[@]}" -O forward -L "$here:$to" root@127.0.0.1 2>/dev/null ||
        die "forward: '$here' cannot be made to lead to $to of $suite-$1"
}

verb_image() { # NAME ISA
    need_up "$2"
    guest_ssh "$2" "$(quoted rig-image "$1")" </dev/null
}

verb_log() { # ISA [WHAT]
    local isa=$1 what=${2:-all} w
    if [[ $what == all ]]; then
        for w in console dockerd containerd; do printf -- '---- %s\n' "$w"; verb_log "$isa" "$w"; done
    elif [[ $what == console ]]; then
        cat "$(run_dir "$isa")/console.log"
    else
        need_up "$isa"
        guest_ssh "$isa" "$(quoted cat "/var/log/$what.log")" </dev/null
    fi
}

collect_one() {
    local to=$collect_to/$suite-$1
    mkdir -p "$to"
    cp "$(run_dir "$1")"/{console,qemu}.log "$to/"
    [[ $(guest_pid "$1") ]] || { tail -n 60 "$to/console.log" >&2; return; }
    need_up "$1"
    guest_ssh "$1" rig-evidence </dev/null | tar -x -C "$to"
}

# Of guests that ended by themselves too: then it is their console, whose last words are shown.
verb_collect() { # DIR
    local i started=()
    collect_to=$1
    for i in "${all_isas[@]}"; do if [[ -e $(run_dir "$i")/port ]]; then started+=("$i"); fi; done
    ((${#started[@]})) || die "collect: no guest of $suite is up"
    each_isa collect_one "${started[@]}"
    say "evidence of ${started[*]} is in $collect_to"
}
