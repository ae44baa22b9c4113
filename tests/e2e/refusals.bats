# What cannot be done is refused by name, in the one line that Docker shows, and nothing is harmed or left behind.

setup_file() {
    load lib.bash
    e2e_up
    "$rig" image busybox x86-64
    "$rig" image busybox aarch64
}

setup() {
    load lib.bash
    remove box
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/refusals-$BATS_TEST_NUMBER" || true
    for isa in x86-64 aarch64; do shell "$isa" 'rm -f /etc/hrunc/hrunc.json; umount -q /run/hrunc || true'; done
    remove box
}

goes_on() {
    local before
    running "$1" box
    before=$(logs "$1" | wc -l)
    wait_for 30 "the container to go on" has_lines "$1" $((before + 2))
}

# refused ISA COMMAND...: it fails, and $output is what a person sees.
refused() {
    run guest "$@"
    echo "$output"
    [ "$status" -ne 0 ]
}

# send_checkpoint NAME: of container box, from x86-64 to aarch64.
send_checkpoint() {
    "$rig" send x86-64 aarch64 "$(checkpoints x86-64 box)/$1" "$(checkpoints aarch64 box)/$1"
}

@test "a program that was not built for it does not start on the other ISA" {
    guest x86-64 docker run -d --name box --runtime hrunc busybox:rig sh -c 'while :; do echo tick; sleep 0.2; done'
    wait_for 30 "output" has_lines x86-64 2
    guest x86-64 docker checkpoint create box there
    guest aarch64 docker create --name box --runtime hrunc busybox:rig true
    send_checkpoint there
    refused aarch64 docker start --checkpoint there box
    [[ $output == *"has no migratable binary"* ]]
    nothing_left
}

@test "the policy refuse fails the checkpoint, and the container runs on" {
    shell x86-64 'mkdir -p /etc/hrunc && echo "{\"unmigratable\": \"refuse\"}" >/etc/hrunc/hrunc.json'
    guest x86-64 docker run -d --name box --runtime hrunc busybox:rig sh -c 'while :; do echo tick; sleep 0.2; done'
    wait_for 30 "output" has_lines x86-64 2
    refused x86-64 docker checkpoint create box there
    [[ $output == *"has no migratable binary"* ]]
    goes_on x86-64
    nothing_left
}

@test "a bad configuration is named with file, key, value and what is allowed" {
    shell x86-64 'mkdir -p /etc/hrunc && echo "{\"tcp\": \"maybe\"}" >/etc/hrunc/hrunc.json'
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 30 "output" has_lines x86-64 2
    refused x86-64 docker checkpoint create box there
    [[ $output == *'/etc/hrunc/hrunc.json'*'tcp'*'maybe'* ]]
    goes_on x86-64
}

@test "an image without the sibling executable is refused" {
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 30 "output" has_lines x86-64 2
    guest x86-64 docker checkpoint create box there
    shell aarch64 'mkdir -p /tmp/lone/app && tar -C /tmp/lone -xf /programs/hello.tar && rm /tmp/lone/app/hello_x86-64 &&
        tar -C /tmp/lone -c app | docker import - lone:test'
    guest aarch64 docker create --name box --runtime hrunc lone:test /app/hello 100
    send_checkpoint there
    refused aarch64 docker start --checkpoint there box
    [[ $output == *"sibling"* ]]
    nothing_left
}

@test "a container without the seccomp profile that the checkpoint has is refused" {
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 30 "output" has_lines x86-64 2
    guest x86-64 docker checkpoint create box there
    guest aarch64 docker create --name box --runtime hrunc --security-opt seccomp=unconfined hello:test /app/hello 100
    send_checkpoint there
    refused aarch64 docker start --checkpoint there box
    [[ $output == *"seccomp"* ]]
    nothing_left
}

@test "no space while recoding is an error, and the next try works" {
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 30 "output" has_lines x86-64 2
    guest x86-64 docker checkpoint create box there
    guest aarch64 docker create --name box --runtime hrunc hello:test /app/hello 100
    send_checkpoint there
    shell aarch64 'mkdir -p /run/hrunc && mount -t tmpfs -o size=40k,mode=700 none /run/hrunc'
    refused aarch64 docker start --checkpoint there box
    [[ $output == *"No space left on device"* ]]
    shell aarch64 'umount /run/hrunc'
    guest aarch64 docker start --checkpoint there box
    wait_for 30 "output on aarch64" has_lines aarch64 2
    nothing_left
}

@test "broken images are refused with the file's name" {
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 30 "output" has_lines x86-64 2
    guest x86-64 docker checkpoint create box there
    guest aarch64 docker create --name box --runtime hrunc hello:test /app/hello 100
    send_checkpoint there
    shell aarch64 "cd $(checkpoints aarch64 box)/there && truncate -s 20 core-1.img"
    refused aarch64 docker start --checkpoint there box
    [[ $output == *"core-1.img"* ]]
    nothing_left
}

@test "a program that never reaches a migration point is given up in time, and runs on" {
    shell x86-64 'mkdir -p /etc/hrunc && echo "{\"notify-timeout\": \"2s\"}" >/etc/hrunc/hrunc.json'
    guest x86-64 docker run -d --name box --runtime hrunc hello:test /app/hello 100
    wait_for 30 "output" has_lines x86-64 2
    shell x86-64 'kill -STOP $(docker inspect -f "{{.State.Pid}}" box)'
    refused x86-64 docker checkpoint create box there
    shell x86-64 'kill -CONT $(docker inspect -f "{{.State.Pid}}" box)'
    goes_on x86-64
    nothing_left
}
