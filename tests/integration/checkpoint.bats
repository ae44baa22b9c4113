#!/usr/bin/env bats
# Checkpoint and restore of an ordinary container with the real runc and criu on this host, and what is left when one
# of the processes taking part is killed.
#
#     HRUNC=build/dev/shim/hrunc [RUNC=…] [CRIU=…] [BUSYBOX=…] [HRUNC_TEST_KILLS=20] bats tests/integration/checkpoint.bats
#
# Needs root, bash, bats, runc, criu and a static busybox; nothing else. HRUNC_TEST_KILLS is the number of moments, spread
# over an operation, at which each process is killed.

: "${HRUNC:=hrunc}" "${RUNC:=runc}" "${CRIU:=criu}" "${BUSYBOX:=busybox}" "${HRUNC_TEST_KILLS:=12}"

setup_file() {
    for program in HRUNC RUNC CRIU BUSYBOX; do
        local path
        path=$(command -v "${!program}") || { echo "needs $program (${!program})" >&2; return 1; }
        export "$program=$(realpath "$path")"
    done
    export HRUNC_TEST_KILLS
    # criu does not dump processes whose executables lie on some overlays; a tmpfs always does.
    BASE=$(mktemp -d /run/hrunc-test.XXXXXX)
    export BASE CGROUP=${BASE##*/} STATE=$BASE/state LOGS=$BASE/logs ROOT=$BASE/runc BUNDLE=$BASE/bundle IMAGES=$BASE/images
    export HRUNC_CONFIG=$BASE/hrunc.json
    mkdir -p "$BUNDLE"/rootfs/{bin,proc,dev,sys} "$BASE/path" "$BASE/empty"
    cp "$BUSYBOX" "$BUNDLE/rootfs/bin/busybox"
    mkfifo "$BUNDLE/rootfs/fifo"
    ln -s "$CRIU" "$BASE/path/criu"
    configure
    bundle false
    WORKS=no
    if plain_runc_can; then WORKS=yes; fi
    export WORKS
}

teardown_file() {
    rm -rf "$BASE"
}

setup() {
    [ "$WORKS" = yes ] || skip "needs a criu that works on this kernel"
    configure
    rm -rf "$IMAGES" "$LOGS" "$BASE/hrunc.log"
    echo 0 > "$BUNDLE/rootfs/count"
    "$HRUNC" --root "$ROOT" run --detach --bundle "$BUNDLE" web1 < /dev/null > /dev/null 2>&1
    runs_on
}

teardown() {
    "$RUNC" --root "$ROOT" delete --force web1 > "$BASE/delete" 2>&1 || true
    local log
    if [ -z "$BATS_TEST_COMPLETED" ]; then
        for log in "$BASE"/*.log "$LOGS"/*.log "$IMAGES"/*.log "$BASE"/out "$BASE"/err; do
            [ -e "$log" ] && { echo "--- $log"; tail -20 "$log"; }
        done
    fi
    return 0
}

configure() { # [JSON members]
    echo "{\"runc\": \"$RUNC\", \"criu\": \"$CRIU\", \"state-directory\": \"$STATE\", \"log-directory\": \"$LOGS\"${1:+, $1}}" \
        > "$HRUNC_CONFIG"
}

bundle() { # terminal
    cat > "$BUNDLE/config.json" << EOF
{
  "ociVersion": "1.0.2", "hostname": "web1", "root": {"path": "rootfs"},
  "process": {
    "terminal": $1, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"],
    "args": ["/bin/busybox", "sh", "-c",
      "trap 'exit 7' TERM; exec 3<> /fifo; i=0; while :; do i=\$((i + 1)); printf %09d \$i 1<> /count; read -t 0.05 -u 3 x; done"]
  },
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}
  ],
  "linux": {"cgroupsPath": "/$CGROUP", "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}
}
EOF
}

plain_runc_can() {
    local done=1
    "$RUNC" --root "$ROOT" run --detach --bundle "$BUNDLE" web0 < /dev/null > /dev/null 2>&1 || return 1
    if PATH=$BASE/path:$PATH "$RUNC" --root "$ROOT" checkpoint --image-path "$BASE/plain-images" web0 >> "$BASE/plain" 2>&1; then
        settle
        PATH=$BASE/path:$PATH "$RUNC" --root "$ROOT" restore --detach --image-path "$BASE/plain-images" \
            --bundle "$BUNDLE" web0 < /dev/null >> "$BASE/plain" 2>&1 && done=0
    fi
    "$RUNC" --root "$ROOT" delete --force web0 >> "$BASE/plain" 2>&1
    return $done
}

# runc is asked for the container's state in words: running, paused, stopped; nothing where there is no such container.
status() {
    "$RUNC" --root "$ROOT" state web1 2> /dev/null | sed -n 's/.*"status": "\(.*\)".*/\1/p'
}

count() { cat "$BUNDLE/rootfs/count"; }

# Tells whether the count goes on, giving it plenty of time to.
runs_on() {
    local before try
    before=$(count)
    for ((try = 0; try < 200; try++)); do
        [ "$(count)" != "$before" ] && return 0
        sleep 0.05
    done
    echo "the count stays at $before; status: $(status)"
    return 1
}

# After a dump the old processes are gone a moment later than criu.
settle() { sleep 0.3; }

# With a log file runc, and so hrunc, says the bare reason on stderr.
hrunc() { "$HRUNC" --root "$ROOT" --log "$BASE/hrunc.log" --log-format json "$@"; }

checkpoint() { hrunc checkpoint --image-path "$IMAGES" "$@" web1 > "$BASE/out" 2> "$BASE/err"; }

first_line() { head -1 "$BASE/err"; }

restore() {
    hrunc restore --detach --image-path "$IMAGES" --bundle "$BUNDLE" web1 \
        < /dev/null > "$BASE/console" 2> "$BASE/err"
}

relays() {
    local comm
    for comm in $(grep -lsx hrunc-relay /proc/[0-9]*/comm); do
        comm=${comm%/comm}
        { tr '\0' '\n' < "$comm/environ" | grep -q "^HRUNC_RUN_DIRECTORY=$STATE/"; } 2> /dev/null && echo "${comm#/proc/}"
    done
    return 0
}

nothing_is_left_of_hrunc() {
    local try
    for ((try = 0; try < 100; try++)); do
        [ -z "$(relays)" ] && [ -z "$(ls -A "$STATE")" ] && break
        sleep 0.05
    done
    [ -z "$(relays)" ] || { echo "relays are left: $(relays)"; return 1; }
    [ -z "$(ls -A "$STATE")" ] || { echo "left in the state directory:"; find "$STATE"; return 1; }
    if grep -e "$STATE" -e "$BASE.*/\.criu\." /proc/mounts || find "$BASE" -maxdepth 3 -name ".criu.*" | grep .; then return 1; fi
}

nothing_is_left_of_the_container() {
    local link
    ! grep "$ROOT" /proc/mounts || return 1
    ! grep -s . /sys/fs/cgroup/{,*/}"$CGROUP"/cgroup.procs || return 1
    for link in /proc/[0-9]*/exe; do
        if [ "$(readlink "$link" 2> /dev/null)" = /bin/busybox ] && grep -q "echo" "${link%/exe}/cmdline" 2> /dev/null; then
            echo "left: ${link%/exe}: $(tr '\0' ' ' < "${link%/exe}/cmdline")"
            return 1
        fi
    done
}

@test "a container goes on from its checkpoint" {
    checkpoint
    [ -z "$(status)" ]
    settle
    local before
    before=$(count)
    restore
    runs_on
    [ "$(count)" -gt "$before" ]
    nothing_is_left_of_hrunc
}

@test "a checkpoint says what it is, and only its owner can read it" {
    checkpoint
    grep -q '"executable": "/bin/busybox"' "$IMAGES/hrunc.json"
    grep -q '"container": "web1"' "$IMAGES/hrunc.json"
    [ -z "$(find "$IMAGES" -type f -perm /077)" ]
}

@test "with --leave-running the container runs on" {
    checkpoint --leave-running
    [ "$(status)" = running ]
    runs_on
    nothing_is_left_of_hrunc
}

@test "a paused container is checkpointed, and stays paused with --leave-running" {
    "$HRUNC" --root "$ROOT" pause web1
    checkpoint --leave-running
    [ "$(status)" = paused ]
    "$HRUNC" --root "$ROOT" resume web1
    runs_on
    nothing_is_left_of_hrunc
}

@test "memory is dumped ahead into a parent, and the container goes on from both" {
    run checkpoint --pre-dump
    if [ "$status" -ne 0 ]; then grep -qE "dirty tracking|missing features" "$BASE/err" && skip "needs a kernel that tracks dirty memory"; fi
    [ "$status" -eq 0 ]
    [ "$(status)" = running ]
    runs_on
    mv "$IMAGES" "$BASE/parent"
    checkpoint --parent-path ../parent
    settle
    local before
    before=$(count)
    restore
    runs_on
    [ "$(count)" -gt "$before" ]
    rm -rf "$BASE/parent"
    nothing_is_left_of_hrunc
}

@test "a page server takes the memory, and the container goes on from there" {
    local before
    mkdir -p "$BASE/pages"
    "$CRIU" page-server --images-dir "$BASE/pages" --address 127.0.0.1 --port 7171 --daemon < /dev/null > "$BASE/server" 2>&1 3>&-
    checkpoint --page-server 127.0.0.1:7171
    [ -z "$(ls "$IMAGES"/pages-*.img 2> /dev/null)" ]
    mv "$BASE"/pages/page* "$IMAGES"
    settle
    before=$(count)
    restore
    runs_on
    [ "$(count)" -gt "$before" ]
    rm -rf "$BASE/pages"
    nothing_is_left_of_hrunc
}

@test "the reason why criu failed is the first line and stands in the log, with the place of criu's own log" {
    # criu refuses a page server that nobody listens at.
    run checkpoint --page-server 127.0.0.1:1
    [ "$status" -eq 1 ]
    [[ "$(first_line)" == "checkpoint \"web1\": criu: ("*"): "*"; log: \"$LOGS/web1-dump.log\"" ]]
    [[ "$(tail -1 "$BASE/hrunc.log")" == '{"level":"error","msg":"checkpoint \"web1\": criu: ('* ]]
    [ -s "$LOGS/web1-dump.log" ]
    runs_on
    nothing_is_left_of_hrunc
}

@test "a paused container is paused after a checkpoint that failed" {
    "$HRUNC" --root "$ROOT" pause web1
    run checkpoint --page-server 127.0.0.1:1
    [ "$status" -eq 1 ]
    [ "$(status)" = paused ]
    "$HRUNC" --root "$ROOT" resume web1
    runs_on
}

@test "a criu that is not there is named, with where it was looked for" {
    configure
    sed -i "s|\"criu\": \"[^\"]*\"|\"criu\": \"$BASE/empty/criu\"|" "$HRUNC_CONFIG"
    run checkpoint
    [ "$status" -eq 1 ]
    [ "$(first_line)" = "checkpoint \"web1\": criu \"$BASE/empty/criu\" (key \"criu\" of \"$HRUNC_CONFIG\"): No such file or directory" ]
    runs_on
    nothing_is_left_of_hrunc
}

@test "a criu that cannot run says why" {
    printf '#!/bin/sh\necho "criu: no such library" >&2\nexit 127\n' > "$BASE/broken"
    chmod +x "$BASE/broken"
    sed -i "s|\"criu\": \"[^\"]*\"|\"criu\": \"$BASE/broken\"|" "$HRUNC_CONFIG"
    run checkpoint
    [ "$status" -eq 1 ]
    [ "$(first_line)" = "checkpoint \"web1\": criu \"$BASE/broken\": criu: no such library" ]
    runs_on
}

@test "a restore that fails leaves its reason as the last error in the log" {
    checkpoint
    settle
    : > "$IMAGES/pstree.img"
    run restore
    [ "$status" -eq 1 ]
    [[ "$(tail -1 "$BASE/hrunc.log")" == '{"level":"error","msg":"restore \"web1\": '* ]]
    nothing_is_left_of_hrunc
}

@test "a restore in the foreground passes signals on and gives the container's exit code" {
    checkpoint
    settle
    "$HRUNC" --root "$ROOT" restore --image-path "$IMAGES" --bundle "$BUNDLE" web1 < /dev/null > "$BASE/console" 2>&1 3>&- &
    local hrunc=$!
    runs_on
    kill -TERM "$hrunc"
    local code=0
    wait "$hrunc" || code=$?
    [ "$code" -eq 7 ]
    nothing_is_left_of_hrunc
}

@test "runc's option --criu names the criu that hrunc starts" {
    hrunc --criu "$BASE/empty/criu" checkpoint --image-path "$IMAGES" web1 2> "$BASE/err" && return 1
    [[ "$(first_line)" == "checkpoint \"web1\": criu \"$BASE/empty/criu\""*"No such file or directory" ]]
    runs_on
}

@test "what a killed hrunc left behind goes away with the next call" {
    mkdir -p "$STATE/run.abandoned/images"
    checkpoint --leave-running
    nothing_is_left_of_hrunc
}

@test "an unknown container is runc's to refuse" {
    run "$HRUNC" --root "$ROOT" checkpoint --image-path "$IMAGES" nobody
    local ours=$output code=$status
    run "$RUNC" --root "$ROOT" checkpoint --image-path "$IMAGES" nobody
    [ "$code" -eq "$status" ]
    [ "${ours#*msg=}" = "${output#*msg=}" ]
}

child_of() { # PID, words of a command line: its first child that was called so; nothing if there is none
    local child
    # Of all threads: any of runc's may have started it.
    for child in $(cat "/proc/$1"/task/*/children 2> /dev/null); do
        { tr '\0' ' ' < "/proc/$child/cmdline" | grep -q -- "$2"; } 2> /dev/null && { echo "$child"; return 0; }
    done
    return 0
}

# Kills `victim` of the operation under process `hrunc`, `delay` seconds after its start or as soon as it is there. Of criu
# every one that is started from then on: runc asks a first one for its version, and does without the answer.
kill_victim() { # victim hrunc delay
    local pid=""
    sleep "$3"
    while kill -0 "$2" 2> /dev/null; do
        case $1 in
        runc) pid=$(child_of "$2" "--root $ROOT") ;;
        criu) pid=$(child_of "$(child_of "$2" "--root $ROOT")" "swrk") ;;
        relay) pid=$(relays | head -1) ;;
        esac
        [ -n "$pid" ] || continue
        kill -KILL "$pid" 2> /dev/null || true
        [ "$1" = criu ] || return 0
    done
    return 0
}

milliseconds() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }

delays() { # milliseconds that the operation takes
    local step
    for ((step = 0; step < HRUNC_TEST_KILLS; step++)); do
        printf '%d.%03d\n' $(($1 * step / HRUNC_TEST_KILLS / 1000)) $(($1 * step / HRUNC_TEST_KILLS % 1000))
    done
}

# Evidence of what was hit, should somebody want to see it.
trace() {
    if [ -n "${HRUNC_TEST_TRACE:-}" ]; then echo "$1 $(status) $(first_line)" >> "$HRUNC_TEST_TRACE"; fi
}

dump_is_complete() { grep -q "Dumping finished successfully" "$IMAGES/dump.log" 2> /dev/null; }

# criu runs code of its own in the tasks while it dumps them, and ends them when all is written: one that dies in between
# can take them with it, whoever started it.
criu_died_inside_a_task() { # victim
    [ "$1" = criu ] && grep -qi parasite "$IMAGES/dump.log"
}

slow_criu() {
    printf '#!/bin/sh\nsleep 3\nexec %s "$@"\n' "$CRIU" > "$BASE/slow-criu"
    chmod +x "$BASE/slow-criu"
    echo "$BASE/slow-criu"
}

kill_during_checkpoint() { # victim [paused]
    local start took delay wanted=running failed=0
    start=$(milliseconds)
    checkpoint --leave-running
    took=$(($(milliseconds) - start))
    for delay in $(delays "$took") slow; do
        # Where every one of a few kills came too late, a last one meets a criu that takes its time to begin.
        if [ "$delay" = slow ]; then
            [ "$failed" = 0 ] || break
            delay=0
            CRIU=$(slow_criu) configure
        fi
        rm -rf "$IMAGES"
        if [ "$(status)" != running ]; then
            "$RUNC" --root "$ROOT" delete --force web1 > /dev/null 2>&1 || true
            "$HRUNC" --root "$ROOT" run --detach --bundle "$BUNDLE" web1 < /dev/null > /dev/null 2>&1
            runs_on
        fi
        if [ "$2" = paused ]; then
            wanted=paused
            "$HRUNC" --root "$ROOT" pause web1
        fi
        "$HRUNC" --root "$ROOT" checkpoint --image-path "$IMAGES" web1 > "$BASE/out" 2> "$BASE/err" 3>&- &
        local hrunc=$!
        kill_victim "$1" "$hrunc" "$delay"
        local code=0
        wait "$hrunc" || code=$?
        trace "$1 ${2-} at $delay s: $code"
        nothing_is_left_of_hrunc
        if [ "$code" -eq 0 ] || dump_is_complete; then continue; fi
        failed=$((failed + 1))
        # Where runc saw it before it ended, the container is still known, as stopped.
        if [[ $(status) =~ ^(stopped)?$ ]] && criu_died_inside_a_task "$1"; then continue; fi
        [ "$(status)" = "$wanted" ] || { echo "$1 killed after $delay s: $(status), not $wanted"; cat "$BASE/err"; return 1; }
        if [ "$2" = paused ]; then "$HRUNC" --root "$ROOT" resume web1; fi
        runs_on || { echo "$1 killed after $delay s"; cat "$BASE/err"; return 1; }
    done
    [ "$failed" -gt 0 ]
}

kill_during_restore() { # victim
    local start took delay
    checkpoint
    settle
    start=$(milliseconds)
    restore
    took=$(($(milliseconds) - start))
    for delay in $(delays "$took"); do
        "$RUNC" --root "$ROOT" delete --force web1 > /dev/null 2>&1 || true
        nothing_is_left_of_the_container || { echo "before $delay s"; return 1; }
        "$HRUNC" --root "$ROOT" restore --detach --image-path "$IMAGES" --bundle "$BUNDLE" web1 \
            < /dev/null > "$BASE/console" 2> "$BASE/err" 3>&- &
        local hrunc=$! code=0
        kill_victim "$1" "$hrunc" "$delay"
        wait "$hrunc" || code=$?
        trace "$1 at $delay s: $code"
        nothing_is_left_of_hrunc || { echo "$1 killed after $delay s"; return 1; }
        if [ "$code" -eq 0 ]; then
            runs_on || { echo "$1 killed after $delay s, and restore said 0"; return 1; }
        else
            "$RUNC" --root "$ROOT" delete --force web1 > "$BASE/delete" 2>&1 || true
            nothing_is_left_of_the_container || { echo "$1 killed after $delay s"; cat "$BASE/err"; return 1; }
        fi
    done
}

@test "the relay is killed during a checkpoint: the container runs on" { kill_during_checkpoint relay; }
@test "criu is killed during a checkpoint: the container runs on" { kill_during_checkpoint criu; }
@test "runc is killed during a checkpoint: the container runs on" { kill_during_checkpoint runc; }
@test "the relay is killed during the checkpoint of a paused container: it is paused" { kill_during_checkpoint relay paused; }
@test "criu is killed during the checkpoint of a paused container: it is paused" { kill_during_checkpoint criu paused; }
@test "runc is killed during the checkpoint of a paused container: it is paused" { kill_during_checkpoint runc paused; }
@test "the relay is killed during a restore: nothing is left" { kill_during_restore relay; }
@test "criu is killed during a restore: nothing is left" { kill_during_restore criu; }
@test "runc is killed during a restore: nothing is left" { kill_during_restore runc; }

# signal_criu SIGNAL: to every criu of this host.
signal_criu() {
    local comm
    for comm in $(grep -lsx criu /proc/[0-9]*/comm); do
        comm=${comm#/proc/}
        kill "-$1" "${comm%/comm}" 2> /dev/null || true
    done
}

@test "criu is killed while it has cgroups mounted: they are unmounted" {
    checkpoint
    settle
    "$HRUNC" --root "$ROOT" restore --detach --image-path "$IMAGES" --bundle "$BUNDLE" web1 \
        < /dev/null > "$BASE/console" 2> "$BASE/err" 3>&- &
    local hrunc=$! mounted=no code=0
    while [ $mounted = no ] && kill -0 "$hrunc" 2> /dev/null; do
        compgen -G "$IMAGES/.criu.cg*" > /dev/null || continue
        signal_criu STOP
        if grep -q "$IMAGES/\.criu\.cg" /proc/mounts; then mounted=yes; else signal_criu CONT; fi
    done
    signal_criu KILL
    wait "$hrunc" || code=$?
    [ $mounted = yes ]
    [ "$code" -ne 0 ]
    nothing_is_left_of_hrunc
}
