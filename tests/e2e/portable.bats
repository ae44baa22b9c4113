# Programs built by popcorn-cc, of several threads, move between the two guests, and go on where they were dumped.

setup_file() {
    load lib.bash
    e2e_up
    local isa name level cc programs=$work/portable torture=()
    rm -rf "$programs"
    mkdir -p "$programs/torture" "$programs/root/app/torture" "$programs/root/bin"
    cc=$root/build/toolchain/root/bin/popcorn-cc
    for name in threads again zombies sh; do
        "$cc" -O2 -pthread -o "$programs/$name" "$root/tests/programs/portable/$name.c"
    done
    # Each of tests/toolchain/torture at a random level. Without POPCORN they do not park themselves: here hrunc does.
    for name in "$root"/tests/toolchain/torture/*.c; do
        level=${HRUNC_TORTURE_LEVEL:-$((RANDOM % 4))}
        torture+=("$(basename "$name" .c)-O$level")
        "$cc" -std=gnu11 "-O$level" -w -pthread -o "$programs/torture/${torture[-1]}" "$name" -lm
        "$programs/torture/${torture[-1]}" >"$programs/root/app/torture/${torture[-1]}.txt"
    done
    for isa in x86-64 aarch64; do
        for name in threads again zombies "${torture[@]/#/torture/}"; do
            cp "$programs/${name}_x86-64" "$programs/${name}_aarch64" "$programs/root/app/$(dirname "$name")"
            cp "$programs/${name}_$isa" "$programs/root/app/$name"
        done
        cp "$programs"/sh_* "$programs/root/bin"
        cp "$programs/sh_$isa" "$programs/root/bin/sh"
        tar -C "$programs/root" --owner=0 --group=0 -cf "$programs/$isa.tar" app bin
        "$rig" put "$isa" "$programs/$isa.tar" /programs/portable.tar
        guest "$isa" docker import /programs/portable.tar portable:test
    done
}

setup() {
    load lib.bash
    remove box
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/portable-$BATS_TEST_NUMBER" || true
    remove box
}

run_threads() {
    guest x86-64 docker run -d --name box --runtime hrunc "$@" portable:test /app/threads 50
    wait_for 60 "first lines" has_lines x86-64 3
}

# Every line of both hosts once, in order, each saying that all is as it was.
unbroken() {
    { logs x86-64; logs aarch64; } | sort -t ' ' -k 2 -n >"$work/lines"
    all_match ' ok$' <"$work/lines"
    cut -d ' ' -f 2 "$work/lines" | diff - <(seq 0 $(($(wc -l <"$work/lines") - 1)))
}

@test "a program of three threads moves there and back, twice" {
    run_threads -p 127.0.0.1:7777:7000 --memory 64m
    local round lines
    for round in 1 2; do
        lines=$(logs aarch64 | wc -l)
        move box x86-64 aarch64 "there$round" portable:test /app/threads 50
        wait_for 60 "lines on aarch64" has_lines aarch64 $((lines + 3))
        lines=$(logs x86-64 | wc -l)
        move box aarch64 x86-64 "back$round"
        wait_for 60 "lines after the return" has_lines x86-64 $((lines + 3))
    done
    unbroken
    shell x86-64 '[ "$(ls /proc/$(docker inspect -f "{{.State.Pid}}" box)/task | wc -l)" = 3 ]'
    nothing_left
}

@test "one checkpoint restores on the host that it was made on and on the other" {
    run_threads
    guest x86-64 docker checkpoint create box both
    sleep 2
    guest aarch64 docker create --name box --runtime hrunc portable:test /app/threads 50
    "$rig" send x86-64 aarch64 "$(checkpoints x86-64 box)/both" "$(checkpoints aarch64 box)/both"
    local before
    before=$(logs x86-64 | wc -l)
    guest x86-64 docker start --checkpoint both box
    guest aarch64 docker start --checkpoint both box
    wait_for 60 "lines on x86-64" has_lines x86-64 $((before + 3))
    wait_for 60 "lines on aarch64" has_lines aarch64 3
    # Both go on from the same line.
    [ "$(logs x86-64 | sed -n "$((before + 1))p")" = "$(logs aarch64 | head -n 1)" ]
    { logs x86-64; logs aarch64; } | all_match ' ok$'
    nothing_left
}

@test "with --leave-running it runs on, and the checkpoint restores elsewhere" {
    run_threads
    guest x86-64 docker checkpoint create --leave-running box left
    local before
    before=$(logs x86-64 | wc -l)
    wait_for 60 "lines on x86-64" has_lines x86-64 $((before + 3))
    guest aarch64 docker create --name box --runtime hrunc portable:test /app/threads 50
    "$rig" send x86-64 aarch64 "$(checkpoints x86-64 box)/left" "$(checkpoints aarch64 box)/left"
    guest aarch64 docker start --checkpoint left box
    wait_for 60 "lines on aarch64" has_lines aarch64 3
    nothing_left
}

# The filter lets the system call fail that reads the coarse clock, which the vdso reads on every kernel.
@test "clocks are read without system calls, after the move too" {
    local isa profile='{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["clock_gettime"], "action": "SCMP_ACT_ERRNO",
        "args": [{"index": 0, "value": 6, "op": "SCMP_CMP_EQ"}]}]}'
    for isa in x86-64 aarch64; do shell "$isa" "echo '$profile' >/root/no-coarse-clock.json"; done
    run_threads --security-opt seccomp=/root/no-coarse-clock.json
    move box x86-64 aarch64 there --security-opt seccomp=/root/no-coarse-clock.json portable:test /app/threads 50
    wait_for 60 "lines on aarch64" has_lines aarch64 3
    move box aarch64 x86-64 back
    wait_for 60 "lines after the return" has_lines x86-64 6
    unbroken
    nothing_left
}

@test "its seccomp filter and its user go along" {
    run_threads --user 1234:5678
    move box x86-64 aarch64 there --user 1234:5678 portable:test /app/threads 50
    wait_for 60 "lines on aarch64" has_lines aarch64 3
    shell aarch64 'status=/proc/$(docker inspect -f "{{.State.Pid}}" box)/status
        grep -q "^Seccomp:.2" $status && grep -q "^Uid:.1234.1234.1234.1234" $status'
    nothing_left
}

@test "children that have ended move, and tell their parent their status there" {
    guest x86-64 docker run -d --name box --runtime hrunc portable:test /app/zombies 500
    wait_for 60 "first lines" has_lines x86-64 3
    local round here=x86-64 there=aarch64 lines
    for round in 1 2 3 4; do
        lines=$(logs "$there" | wc -l)
        move box "$here" "$there" "move$round" portable:test /app/zombies 500
        read -r here there <<<"$there $here"
        wait_for 60 "lines after the move" has_lines "$here" $((lines + 3))
    done
    unbroken
    nothing_left
}

@test "programs that check themselves are moved at random moments, with their parent and the pipe between them" {
    local torture round here=x86-64 there=aarch64 lines
    torture=("$work"/portable/root/app/torture/*.txt)
    torture=("${torture[@]##*/}")
    torture=("${torture[@]%.txt}")
    # What is in a tmpfs is part of a checkpoint, in contrast to the container's own layer.
    guest x86-64 docker run -d --name box --runtime hrunc --tmpfs /tmp portable:test /app/again /app/torture "${torture[@]}"
    for round in $(seq "${HRUNC_RANDOM_MOVES:-6}"); do
        sleep "$((RANDOM % 4)).$((RANDOM % 10))"
        move box "$here" "$there" "move$round" --tmpfs /tmp portable:test /app/again /app/torture "${torture[@]}"
        read -r here there <<<"$there $here"
    done
    for isa in x86-64 aarch64; do
        lines=$(logs "$isa" | wc -l)
        echo "$isa: $lines runs"
    done
    lines=$(logs "$here" | wc -l)
    wait_for 300 "runs after the last move" has_lines "$here" $((lines + ${#torture[@]}))
    for isa in x86-64 aarch64; do guest "$isa" docker logs box 2>&1; done >"$work/runs"
    all_match ': status 0, ok$' <"$work/runs"
    nothing_left
}
