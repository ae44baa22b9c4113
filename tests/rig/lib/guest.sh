# shellcheck shell=bash disable=SC2154,SC2034
# (variables of the sourced parts)
# Guests as processes: cold boot, saved state, resume, stop.
#
#   image (build.sh) ── cold boot, dockerd up ──► state-*/  disk.qcow2  ram  device
#                                                     │ (per `up`: an overlay, the memory mapped private)
#                                                     ▼
#                                                  run/SUITE-ISA/

readonly memory_mb=${HRUNC_RIG_MEMORY:-1536}
readonly boot_seconds=900

run_dir() { echo "$run_root/$suite-$1"; }
control_socket() { echo "$socket_dir/$suite-$1.ssh"; }

# guest_pid ISA: the process id of a running guest, or nothing.
guest_pid() {
    local file pid
    file=$(run_dir "$1")/pid
    [[ -e $file ]] || return 0
    pid=$(<"$file")
    # The number alone could have been given to another process since.
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$(run_dir "$1")/disk.qcow2"; then
        echo "$pid"
    fi
}

guest_port() { cat "$(run_dir "$1")/port"; }

monitor() { # ISA COMMAND...
    local isa=$1
    shift
    printf '%s\n' "$@" | socat -t 5 - "UNIX-CONNECT:$socket_dir/$suite-$isa.mon" | tr -d '\r'
}

# state_dir IMAGE: the saved state also depends on QEMU, on the devices and on the cgroup version.
state_dir() {
    local hash
    hash=$({ "$qemu" --version; echo "$memory_mb"; declare -f set_isa tcg_threads start_qemu boot_and_save; } | sha256sum | cut -c1-8)
    echo "$1/state-$cgroup-$hash"
}

# tcg_threads ISA: how QEMU runs the processors of a guest. It can keep its translation of code that another processor was
# changing meanwhile (7.2 soon, 10.0 once in hours). An x86-64 kernel changes its own code (for the first CPU limit of a cgroup,
# the first perf event), and dies of that; so there the processors take turns. An aarch64 kernel changes an instruction at once.
tcg_threads() {
    if [[ $1 == x86-64 ]]; then echo single; else echo multi; fi
}

# start_qemu ISA IMAGE RAM-FILE on|off [OPTION...]: off maps the memory file private, so it stays as it is. What a caller has
# open is closed: a test runner waits until nobody holds its output.
start_qemu() {
    local isa=$1 image=$2 ram=$3 share=$4 dir port lan peer
    shift 4
    dir=$(run_dir "$isa") lan=$socket_dir/$suite-$isa.lan
    peer=$socket_dir/$suite-$([[ $isa == x86-64 ]] && echo aarch64 || echo x86-64).lan
    rm -f "$lan" "$dir/pid" "$dir/console.log"
    # Another process can take the port between the choice and the start: then choose again.
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        if "$qemu" -name "hrunc-rig-$suite-$isa" -nodefaults -no-user-config -display none -no-reboot \
            -machine "$machine,memory-backend=ram" -accel "tcg,thread=$(tcg_threads "$isa")" -cpu "$cpu" -smp 2 -m "$memory_mb" \
            -object "memory-backend-file,id=ram,size=${memory_mb}M,mem-path=$ram,share=$share" \
            -kernel "$image/vmlinuz" -initrd "$image/initrd" \
            -append "console=$console loglevel=5 panic=-1 mitigations=off net.ifnames=0 rig.isa=$isa rig.ip=$lan_ip rig.cgroup=$cgroup" \
            -drive "file=$dir/disk.qcow2,if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap" \
            -device virtio-blk-pci,drive=disk,addr=4 \
            -netdev "user,id=user,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" \
            -device "virtio-net-pci,netdev=user,romfile=,addr=5,mac=52:54:00:77:00:0$mac_digit" \
            -netdev "dgram,id=lan,local.type=unix,local.path=$lan,remote.type=unix,remote.path=$peer" \
            -device "virtio-net-pci,netdev=lan,romfile=,addr=6,host_mtu=65000,mac=52:54:00:77:01:0$mac_digit" \
            -device virtio-rng-pci,addr=7 \
            -serial "file:$dir/console.log" -monitor "unix:$socket_dir/$suite-$isa.mon,server=on,wait=off" \
            -daemonize -pidfile "$dir/pid" "$@" 2>"$dir/qemu.log" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; then
            echo "$port" >"$dir/port"
            return
        fi
        grep -q 'Could not set up host forwarding' "$dir/qemu.log" || break
    done
    cat "$dir/qemu.log" >&2
    die "$suite-$isa: QEMU does not start (its words are above, and in $dir/qemu.log)"
}

# wait_for ISA WHAT COMMAND...: until the command succeeds in the guest.
wait_for() {
    local isa=$1 what=$2 deadline=$((SECONDS + boot_seconds))
    shift 2
    until "$@"; do
        [[ $(guest_pid "$isa") ]] ||
            die "$suite-$isa: the guest ended before $what; its console: $(run_dir "$isa")/console.log"
        ((SECONDS < deadline)) ||
            die "$suite-$isa: no $what after $boot_seconds s; its console: $(run_dir "$isa")/console.log ('rig log $isa')"
        sleep 0.2
    done
}

ready() { guest_ssh "$1" test -e /run/rig-ready </dev/null 2>/dev/null; }
migrated() { monitor "$1" 'info migrate' | grep -q 'Migration status: completed'; }

# boot_and_save IMAGE STATE: the slow way, once for each image.
boot_and_save() {
    local image=$1 state=$2 dir start
    dir=$(run_dir "$isa")
    start=$(now_ms)
    say "$suite-$isa: first boot of this image, to save it with dockerd running (a minute)"
    rm -rf "$state" "$state.new"
    mkdir -p "$state.new"
    qemu-img create -q -f qcow2 -b "$image/base.img" -F raw "$state.new/disk.qcow2"
    ln -sf "$state.new/disk.qcow2" "$dir/disk.qcow2"
    start_qemu "$isa" "$image" "$state.new/ram" on
    wait_for "$isa" 'ssh' open_ssh "$isa"
    say "$suite-$isa: ssh answers after $(since "$start"), waiting for dockerd and its images"
    wait_for "$isa" 'dockerd' ready "$isa"
    guest_ssh "$isa" 'fstrim /; sync' </dev/null
    close_ssh "$isa"
    # x-ignore-shared leaves the memory where it is: in the shared file.
    monitor "$isa" stop 'migrate_set_capability x-ignore-shared on' \
        "migrate -d \"exec:cat > $state.new/device\"" >/dev/null
    wait_for "$isa" 'saved state' migrated "$isa"
    stop_guest "$isa" TERM
    mv "$state.new" "$state"
    say "$suite-$isa: booted and saved in $(since "$start")"
}

# set_clock ISA: by that of this host, to a few milliseconds; hosts between which programs move have the same time. How long it takes
# until a guest has set its clock is learned by looking at it again.
set_clock() {
    local isa=$1 guest asked said now offset trip least lead=0
    coproc guest_ssh "$isa" 'bash -c '\''while read -r word; do
        if [[ $word == "?" ]]; then echo "$EPOCHREALTIME"; else date -s "@$word" >/dev/null; fi
    done'\'
    for _ in 1 2 3 4 5; do
        now=$((${EPOCHREALTIME/[.,]/} + lead))
        printf '%d.%06d\n' $((now / 1000000)) $((now % 1000000)) >&"${COPROC[1]}"
        least=1000000
        for _ in 1 2 3 4 5 6; do
            asked=${EPOCHREALTIME/[.,]/}
            echo '?' >&"${COPROC[1]}"
            read -r guest <&"${COPROC[0]}"
            said=${EPOCHREALTIME/[.,]/} trip=$((said - asked))
            if ((trip < least)); then least=$trip offset=$((${guest/[.,]/} - asked - trip / 2)); fi
        done
        lead=$((lead - offset))
        if ((offset > -2000 && offset < 2000)); then break; fi
    done
    exec {COPROC[1]}>&-
    wait "$COPROC_PID"
}

resume() {
    local image=$1 state=$2 dir start
    dir=$(run_dir "$isa")
    start=$(now_ms)
    rm -f "$dir/disk.qcow2"
    qemu-img create -q -f qcow2 -b "$state/disk.qcow2" -F qcow2 "$dir/disk.qcow2"
    start_qemu "$isa" "$image" "$state/ram" off -incoming defer
    monitor "$isa" 'migrate_set_capability x-ignore-shared on' \
        "migrate_incoming \"exec:cat $state/device\"" >/dev/null
    wait_for "$isa" 'saved state' migrated "$isa"
    monitor "$isa" cont >/dev/null
    wait_for "$isa" 'ssh' open_ssh "$isa"
    set_clock "$isa"
    say "$suite-$isa: up in $(since "$start")"
}

up_one() (
    set -euo pipefail
    set_isa "$1"
    local image state
    mkdir -p "$(run_dir "$isa")"
    exec 9>"$(run_dir "$isa")/lock"
    flock 9
    if [[ $keep == yes && $(guest_pid "$isa") ]]; then
        set_clock "$isa" # clocks of emulated hosts drift
        say "$suite-$isa: is up"
        return
    fi
    stop_guest "$isa"
    image=$(image_dir "$suite" "$isa")
    state=$(state_dir "$image")
    if [[ ! -e $state/device ]]; then
        # Other run folders (HRUNC_RIG_RUN) share the saved states.
        exec 8>"$rig_cache/.save-$suite-$isa.lock"
        flock 8
        [[ -e $state/device ]] || boot_and_save "$image" "$state"
        exec 8>&-
    fi
    resume "$image" "$state"
)

verb_up() {
    verb_build "$@"
    each_isa up_one "$@"
}

# stop_guest ISA [SIGNAL]: a guest's disk and memory are thrown away, so it is killed, unless it is
# the one whose state is being saved: then TERM.
stop_guest() {
    local isa=$1 signal=${2:-KILL} pid
    close_ssh "$isa"
    pid=$(guest_pid "$isa")
    if [[ $pid ]]; then
        kill "-$signal" "$pid"
        for _ in {1..200}; do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
        if kill -0 "$pid" 2>/dev/null; then die "$suite-$isa: QEMU (process $pid) does not end on SIG$signal"; fi
    fi
    rm -f "$(run_dir "$isa")"/{pid,port} "$socket_dir/$suite-$isa".{mon,lan,ssh}
}

down_one() {
    if [[ -d $(run_dir "$1") ]]; then
        stop_guest "$1"
        rm -f "$(run_dir "$1")/disk.qcow2"
    fi
}

verb_down() {
    local i suites=("$suite")
    if [[ $suite_given == no ]]; then suites=("${all_suites[@]}"); fi
    for suite in "${suites[@]}"; do
        for i in "$@"; do down_one "$i"; done
    done
    rmdir "$socket_dir" 2>/dev/null || :
}

verb_status() {
    local i image state
    make_keys
    for suite in "${all_suites[@]}"; do
        for i in "${all_isas[@]}"; do
            set_isa "$i"
            image=$(image_dir "$suite" "$i")
            state='no image'
            if [[ -e $image/base.img ]]; then state='image'; fi
            if compgen -G "$image/state-*/device" >/dev/null; then state='image and saved state'; fi
            if [[ $(guest_pid "$i") ]]; then state="up, process $(guest_pid "$i"), ssh port $(guest_port "$i")"; fi
            printf '%-9s %-8s %s\n' "$suite" "$i" "$state"
        done
    done
}

verb_clean() {
    verb_down "${all_isas[@]}"
    rm -rf "${rig_cache:?}"
}
