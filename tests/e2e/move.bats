# A container moves between the two guests, in both directions, whatever it was created with.

setup_file() {
    load lib.bash
    e2e_up
}

setup() {
    load lib.bash
    remove box
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/$BATS_TEST_NUMBER" || true
    remove box
}

# there_and_back CREATE-OPTIONS... IMAGE COMMAND...: starts the container on x86-64, moves it to aarch64 and back; on each
# host it must go on writing lines.
there_and_back() {
    guest x86-64 docker run -d --name box --runtime hrunc "$@"
    wait_for 60 "first lines" has_lines x86-64 2
    move box x86-64 aarch64 there "$@"
    wait_for 60 "lines on aarch64" has_lines aarch64 2
    local before
    before=$(logs x86-64 | wc -l)
    move box aarch64 x86-64 back "$@"
    wait_for 60 "lines after the return" has_lines x86-64 $((before + 2))
    running x86-64 box
    nothing_left
}

# Every tick of both hosts once, in order, each saying that all is as it was.
unbroken() {
    { logs x86-64; logs aarch64; } | sed -E "s/^$1 ([0-9]+) .*/\1/" | sort -n >"$work/ticks"
    seq "$(head -n 1 "$work/ticks")" "$(tail -n 1 "$work/ticks")" | diff - "$work/ticks"
}

@test "on a bridge network with a published port, memory limit and volume, everything a process owns moves along" {
    for isa in x86-64 aarch64; do shell "$isa" 'mkdir -p /srv/volume && echo kept >/srv/volume/file'; done
    there_and_back -p 127.0.0.1:7777:7000 --memory 64m -v /srv/volume:/volume popcorn:test /app/state 50
    unbroken state
    { logs x86-64; logs aarch64; } | grep -vE ' ok$' && return 1
    [ "$(guest x86-64 docker inspect -f '{{.HostConfig.Memory}}' box)" = 67108864 ]
    shell x86-64 'pid=$(docker inspect -f "{{.State.Pid}}" box)
        path=$(cut -d: -f3 /proc/$pid/cgroup)
        [ "$(cat /sys/fs/cgroup$path/memory.max)" = 67108864 ]
        [ "$(cat /proc/$pid/root/volume/file)" = kept ]'
}

@test "on the host network" {
    there_and_back --network host hello:test /app/hello 100
    unbroken hello
}

@test "without a network" {
    there_and_back --network none hello:test /app/hello 100
    unbroken hello
}

@test "as an unprivileged user on a read-only root" {
    there_and_back --user 1234:5678 --read-only hello:test /app/hello 100
    unbroken hello
    shell x86-64 'pid=$(docker inspect -f "{{.State.Pid}}" box)
        grep -q "^Uid:.1234.1234.1234.1234" /proc/$pid/status
        grep -q "^Gid:.5678.5678.5678.5678" /proc/$pid/status'
}

@test "with two processes that talk through pipes" {
    there_and_back popcorn:test /app/two 100
    shell x86-64 '[ "$(docker top box -o pid | tail -n +2 | wc -l)" = 2 ]'
}

@test "a forbidden system call is refused before and after, by its number on each ISA" {
    there_and_back popcorn:test /app/forbidden 200
    { logs x86-64; logs aarch64; } | grep -vE ': keyctl -1 mount -1 clone3 -38 getpid yes$' && return 1
    shell x86-64 'grep -q "^Seccomp:.2" /proc/$(docker inspect -f "{{.State.Pid}}" box)/status'
}

@test "capabilities and no-new-privileges are what they were" {
    ! guest x86-64 criu --version | grep -q "Version: 3.17" || skip "needs a criu that keeps no-new-privileges"
    there_and_back --cap-drop ALL --cap-add NET_BIND_SERVICE --security-opt no-new-privileges hello:test /app/hello 100
    shell x86-64 'status=/proc/$(docker inspect -f "{{.State.Pid}}" box)/status
        grep -q "^CapEff:.0000000000000400" $status && grep -q "^CapBnd:.0000000000000400" $status
        grep -q "^NoNewPrivs:.1" $status'
}

@test "memory that the program wrote is there on the other side, page for page" {
    there_and_back popcorn:test /app/memory 16 200
    { logs x86-64; logs aarch64; } | grep -vE 'MB ok$' && return 1
    true
}

@test "with a terminal" {
    there_and_back -t hello:test /app/hello 100
    unbroken hello
    shell x86-64 '[ "$(readlink /proc/$(docker inspect -f "{{.State.Pid}}" box)/fd/1)" = /dev/pts/0 ]'
}

# What a host has of processes, mounts, cgroups and files that containers and their moves make. containerd itself never
# removes the directories /tmp/ctrd-checkpoint* out of which it restores, with runc as with hrunc.
census() {
    shell "$1" '
        ps -e -o comm= | grep -vE "^(kworker|ps|sh|sshd|ssh|rig|sleep)" | sort | uniq -c
        cut -d" " -f2 /proc/mounts | sed -E "s/[0-9a-f]{64}/ID/g; s,netns/[0-9a-f]+,netns/ID," | sort | uniq -c
        find /sys/fs/cgroup -type d | sed -E "s/[0-9a-f]{64}/ID/g" | sort | uniq -c
        find /run/hrunc /run/docker/runtime-runc /run/containerd/io.containerd.runtime.v2.task /tmp -mindepth 1 2>/dev/null |
            grep -v "^/tmp/ctrd-checkpoint" | sed -E "s/[0-9a-f]{64}/ID/g" | sort'
}

@test "one container goes there and back again and again: nothing is lost, nothing is left behind" {
    local rounds=${HRUNC_ROUND_TRIPS:-4} round lines
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 60 "first lines" has_lines x86-64 2
    for ((round = 1; round <= rounds; round++)); do
        lines=$(logs aarch64 | wc -l)
        move box x86-64 aarch64 "there$round" hello:test /app/hello 100
        wait_for 60 "lines on aarch64" has_lines aarch64 $((lines + 2))
        [ "$round" != 1 ] || census aarch64 >"$work/census-aarch64-first"
        [ "$round" != "$rounds" ] || census aarch64 >"$work/census-aarch64-last"
        lines=$(logs x86-64 | wc -l)
        move box aarch64 x86-64 "back$round"
        wait_for 60 "lines after the return" has_lines x86-64 $((lines + 2))
        [ "$round" != 1 ] || census x86-64 >"$work/census-x86-64-first"
        echo "round trip $round of $rounds"
    done
    census x86-64 >"$work/census-x86-64-last"
    unbroken hello
    diff "$work/census-x86-64-first" "$work/census-x86-64-last"
    diff "$work/census-aarch64-first" "$work/census-aarch64-last"
}

@test "the published port answers on each host" {
    guest x86-64 docker run -d --name box --runtime hrunc -p 127.0.0.1:7777:7000 popcorn:test /app/tcp
    ask() { shell "$1" 'printf x | timeout 10 nc -q 3 127.0.0.1 7777 | head -n 1'; }
    wait_for 30 "an answer on x86-64" sh -c "[ -n '$(ask x86-64)' ]"
    run ask x86-64
    [[ $output =~ ^([0-9]+)\ on\ x86-64$ ]]
    local count=${BASH_REMATCH[1]}
    move box x86-64 aarch64 there -p 127.0.0.1:7777:7000 popcorn:test /app/tcp
    run ask aarch64
    [ "$output" = "$((count + 1)) on aarch64" ]
}

@test "a checkpoint is private" {
    guest x86-64 docker run -d --name box --runtime hrunc hello:test
    wait_for 60 "first lines" has_lines x86-64 2
    guest x86-64 docker checkpoint create box private
    shell x86-64 "cd $(checkpoints x86-64 box)/private && [ \"\$(stat -c %a .)\" = 700 ] && [ -z \"\$(find . -type f -perm /077)\" ]"
}
