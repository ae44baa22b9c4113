# The same container checks on runc and on hrunc, which must agree: hrunc is run beside plain runc for ordinary containers.

setup_file() {
    load lib.bash
    e2e_up
    for isa in x86-64 aarch64; do
        "$rig" image busybox "$isa"
        "$rig" image redis "$isa"
    done
}

setup() {
    load lib.bash
    remove box
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/parity-$BATS_TEST_NUMBER" || true
    remove box
}

# agree ISA SCRIPT: the script's output and status under both runtimes; $1 in the script is the runtime.
agree() {
    local runtime
    for runtime in runc hrunc; do
        guest "$1" sh -c "$2" sh "$runtime" >"$work/agree-$runtime" 2>&1 && echo "status 0" >>"$work/agree-$runtime" ||
            echo "status $?" >>"$work/agree-$runtime"
        guest "$1" docker rm -f box >/dev/null 2>&1 || true
    done
    cat "$work/agree-hrunc"
    diff "$work/agree-runc" "$work/agree-hrunc"
}

life='
    docker run --rm --runtime $1 busybox:rig sh -c "echo out; echo err >&2; exit 7" 2>/tmp/err; echo "run $?"; cat /tmp/err
    docker run --rm --runtime $1 --memory 32m --cpus 0.5 busybox:rig cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max
    docker run --rm --runtime $1 busybox:rig /nonexistent 2>&1 | grep -o "exec: .*"; echo "missing $?"
    docker run -d --name box --runtime $1 busybox:rig sh -c "trap \"exit 3\" TERM; while :; do sleep 0.1; done" >/dev/null
    docker exec box echo inside; docker exec -u 12:34 -e A=b -w /tmp box sh -c "id -u; id -g; echo \$A; pwd"
    docker exec box sh -c "exit 9"; echo "exec $?"
    docker pause box && docker inspect -f "{{.State.Status}}" box && docker unpause box
    docker update --memory 48m --memory-swap 48m box && docker exec box cat /sys/fs/cgroup/memory.max
    docker top box -o args | grep -c trap
    docker stats --no-stream --format "{{.Name}} {{.MemUsage}}" box | sed "s|[0-9.]*[KM]iB /|used of|"
    docker restart -t 5 box && docker inspect -f "{{.State.Running}}" box
    docker stop -t 5 box && docker wait box
    docker rm box && docker ps -aq --filter name=box'

@test "run, exec, kill, pause, update, top, stats, restart, stop and rm behave as under runc" {
    agree x86-64 "$life"
    grep -q "exec 9" "$work/agree-hrunc"
}

@test "kill with a signal, logs and a tty behave as under runc" {
    agree x86-64 '
        docker run -d --name box --runtime $1 busybox:rig sh -c "trap \"echo got; exit 4\" USR1; echo ready; while :; do sleep 0.1; done" >/dev/null
        until docker logs box | grep -q ready; do sleep 0.2; done
        docker kill -s USR1 box; docker wait box; docker logs box; docker rm box
        docker run --rm -t --runtime $1 busybox:rig tty'
    grep -q "got" "$work/agree-hrunc"
}

ordinary='
    set -e
    docker run -d --name box --runtime $1 redis:rig >/dev/null
    until docker exec box redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.3; done
    docker exec box redis-cli set key value; docker exec box redis-cli incrby n 41
    docker checkpoint create box first
    docker inspect -f "{{.State.Status}} {{.State.ExitCode}}" box
    docker start --checkpoint first box || { sleep 2; docker start --checkpoint first box; }
    docker exec box redis-cli get key; docker exec box redis-cli incr n
    docker checkpoint create --leave-running box second; docker inspect -f "{{.State.Status}}" box
    docker exec box redis-cli incr n'

@test "an ordinary container (Redis) is checkpointed and restored as under runc, on x86-64" {
    agree x86-64 "$ordinary"
    grep -q "^43$" "$work/agree-hrunc"
}

@test "an ordinary container (Redis) is checkpointed and restored as under runc, on aarch64" {
    agree aarch64 "$ordinary"
    grep -q "^43$" "$work/agree-hrunc"
}
