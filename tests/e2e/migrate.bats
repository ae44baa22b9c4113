# hrunc migrate: a whole move with one command, and exactly one side that runs, whatever becomes of the command.
# shellcheck shell=bats disable=SC2154,SC2016
# (variables of lib.bash; what stands between single quotes is for the guests)

setup_file() {
    load lib.bash
    e2e_up
    local isa
    # An image with files for the writable layer to change.
    for isa in x86-64 aarch64; do
        shell "$isa" 'set -e
            rm -rf /tmp/files /tmp/files.tar
            mkdir -p /tmp/files/data/renewed
            for name in changed removed renewed/old; do echo old >/tmp/files/data/$name; done
            cp /programs/popcorn.tar /tmp/files.tar
            tar -C /tmp/files -rf /tmp/files.tar data
            docker import /tmp/files.tar files:test >/dev/null'
    done
}

setup() {
    load lib.bash
    remove box
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/migrate-$BATS_TEST_NUMBER" || true
    remove box
    local isa
    for isa in x86-64 aarch64; do
        shell "$isa" 'docker rmi -f only:here >/dev/null 2>&1; pkill -x nc; rm -rf /var/lib/hrunc
            docker volume rm -f kept >/dev/null 2>&1; docker network rm front back >/dev/null 2>&1; true'
    done
}

start_box() {
    guest x86-64 docker run -d --name box --runtime hrunc "$@"
    wait_for 60 "first lines" has_lines x86-64 2
}

# gone ISA CONTAINER
gone() {
    [ -z "$(guest "$1" docker ps -aq --filter "name=^$2\$")" ]
}

# Each line of the container on these hosts says that all is as it was, and none is missing or there twice.
unbroken() {
    local isa
    for isa in "$@"; do logs "$isa"; done >"$work/lines"
    if grep -v ' ok$' "$work/lines"; then return 1; fi
    cut -d' ' -f2 "$work/lines" | diff - <(seq "$(head -n 1 "$work/lines" | cut -d' ' -f2)" "$(tail -n 1 "$work/lines" | cut -d' ' -f2)")
}

# in_box ISA SCRIPT: in the container's root directory.
in_box() {
    shell "$1" "cd /proc/\$(docker inspect -f '{{.State.Pid}}' box)/root && $2"
}

change_layer() {
    in_box x86-64 'set -e
        mkdir made && echo text >"made/a file" && ln "made/a file" made/hard && ln -s /nowhere made/soft && mkfifo made/fifo
        chown 12:34 made "made/a file" && chmod 1750 made && chmod 4755 "made/a file"
        python3 -c "import os; os.setxattr(\"made/a file\", \"trusted.kept\", b\"value\")"
        touch -d @1000000000 made
        echo new >data/changed && rm data/removed && rm -r data/renewed && mkdir data/renewed && echo new >data/renewed/new'
}

# All that change_layer did, as the container sees it.
layer() {
    in_box "$1" 'find made data -printf "%p %y %m %U:%G %n %s %l %Ts\n" | sort
        head data/changed data/renewed/* "made/a file" && [ "made/a file" -ef made/hard ]'
}

configuration() {
    guest "$1" docker inspect -f '{{json .Config}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Memory}} {{.HostConfig.CapAdd}} {{json .HostConfig.PortBindings}}' box
}

# Nothing but the container itself: no checkpoint, journal or connection.
nothing_but_box() {
    nothing_left
    shell "$1" '[ -z "$(find /var/lib/hrunc -mindepth 2 2>/dev/null)" ] && ! pgrep -x ssh'
    [ -z "$(guest "$2" docker checkpoint ls -q box 2>/dev/null)" ]
}

exactly_one_runs() {
    local here=no there=no
    ! running x86-64 box || here=yes
    ! running aarch64 box || there=yes
    [ "$here" != "$there" ]
}

@test "a container goes there and back with its configuration and its writable layer" {
    start_box -p 127.0.0.1:7777:7000 --memory 64m --restart always --cap-add NET_ADMIN -e KEPT=yes --label a.b=c files:test /app/state 50
    change_layer
    layer x86-64 >"$work/layer"
    configuration x86-64 >"$work/configuration"

    run guest x86-64 hrunc migrate --keep-source box root@aarch64
    echo "$output"
    [ "$status" = 0 ]
    [[ ${lines[0]} == "box: runs on root@aarch64" ]]
    [[ ${lines[1]} == "down "*" s: checkpoint "*" s, sending "*" s, restore "*" s" ]]
    wait_for 60 "lines on aarch64" has_lines aarch64 2
    unbroken x86-64 aarch64
    layer aarch64 | diff "$work/layer" -
    configuration aarch64 | diff "$work/configuration" -
    [ "$(guest x86-64 docker inspect -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' box)" = "exited no" ]
    nothing_but_box x86-64 aarch64
    guest x86-64 docker rm box

    run guest aarch64 hrunc migrate --json box root@x86-64
    echo "$output"
    [ "$status" = 0 ]
    jq -e '.moved and .name == "box" and .seconds.down > .seconds.dump and .bytes.sent > 1000' <<<"$output"
    wait_for 60 "lines after the return" has_lines x86-64 2
    layer x86-64 | diff "$work/layer" -
    in_box x86-64 'python3 -c "import os; assert os.getxattr(\"made/a file\", \"trusted.kept\") == b\"value\""'
    configuration x86-64 | diff "$work/configuration" -
    gone aarch64 box
    nothing_but_box aarch64 x86-64
}

# in_volume ISA VOLUME SCRIPT: in the volume that the container has at /VOLUME.
in_volume() {
    shell "$1" "cd \"\$(docker inspect -f '{{range .Mounts}}{{if eq .Destination \"/$2\"}}{{.Source}}{{end}}{{end}}' box)\" && $3"
}

# What the container is joined to, and the addresses that it has there.
networks() {
    guest "$1" docker inspect -f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{$net.Aliases}} {{$net.IPAddress}}{{println}}{{end}}' box
}

@test "volumes come along with their content if asked for, and all of its networks" {
    local isa address
    for isa in x86-64 aarch64; do
        shell "$isa" 'docker network create --subnet 10.78.1.0/24 front && docker network create --subnet 10.78.2.0/24 back'
    done
    guest x86-64 docker create --name box --runtime hrunc --network front --network-alias web -v kept:/kept -v /unnamed hello:test /app/hello 100
    guest x86-64 docker network connect --alias store --ip 10.78.2.9 back box
    guest x86-64 docker start box
    wait_for 60 "first lines" has_lines x86-64 2
    in_volume x86-64 kept 'chown 12:34 . && chmod 1770 . && echo text >file && ln file hard && mkfifo fifo && chown 5:6 file'
    in_volume x86-64 unnamed 'truncate -s 3M holes && echo end >>holes'

    run guest x86-64 hrunc migrate box root@aarch64
    [ "$status" = 1 ]
    [[ $output == *'volume "kept" (/kept) is not there: bring its content there, or send it along with --volumes'* ]]
    guest x86-64 hrunc migrate --volumes box root@aarch64
    wait_for 60 "lines on aarch64" has_lines aarch64 2
    in_volume aarch64 kept '[ "$(stat -c "%u:%g %a" .) $(stat -c "%u:%g %h" file) $(cat hard) $(stat -c %F fifo)" = "12:34 1770 5:6 2 text fifo" ]'
    in_volume aarch64 unnamed '[ "$(stat -c %s holes) $(tail -c 4 holes)" = "3145732 end" ] && [ "$(stat -c %b holes)" -lt 100 ]'
    networks aarch64
    [[ $(networks aarch64) == *"back ["*store*"] 10.78.2.9"*"front ["*web*"] 10.78.1."* ]]
    # In the container's own namespace, too.
    for address in $(networks aarch64 | grep -o '10\.78\.[0-9.]*'); do
        shell aarch64 "nsenter -n -t \$(docker inspect -f '{{.State.Pid}}' box) ip -4 address | grep -F 'inet $address/'"
    done

    # One with a name stays where it was, and is never overwritten.
    in_volume aarch64 kept 'echo more >>file'
    run guest aarch64 hrunc migrate --volumes box root@x86-64
    [ "$status" = 1 ]
    [[ $output == *'volume "kept" (/kept) is there already: remove it, or leave --volumes out, which would have to overwrite it'* ]]
    guest x86-64 docker volume rm kept
    guest aarch64 hrunc migrate --volumes box root@x86-64
    wait_for 60 "lines after the return" has_lines x86-64 2
    in_volume x86-64 kept '[ "$(cat hard)" = "text
more" ]'
    [ "$(guest aarch64 docker volume ls -q)" = kept ]
    nothing_but_box aarch64 x86-64
}

@test "what stands in the way is said at once, nothing is changed, and a missing image can be sent along" {
    guest x86-64 docker tag hello:test only:here
    start_box -p 127.0.0.1:7777:7000 only:here /app/hello 100
    guest aarch64 docker create --name box hello:test
    shell aarch64 'nc -l 127.0.0.1 7777 >/dev/null 2>&1 </dev/null &'
    run guest x86-64 hrunc migrate box root@aarch64
    echo "$output"
    [ "$status" = 1 ]
    [ "${#lines[@]}" = 3 ]
    [[ ${lines[0]} == 'hrunc: migrate "box": on root@aarch64: there is no image "only:here" for arm64: bring it there, or send it along with --image FILE' ]]
    [[ ${lines[1]} == 'hrunc: migrate "box": on root@aarch64: there is a container "box": remove it, or take --name' ]]
    [[ ${lines[2]} == 'hrunc: migrate "box": on root@aarch64: port 7777/tcp is in use' ]]
    running x86-64 box
    shell aarch64 'docker rm box && pkill -x nc
        docker tag hello:test only:here && docker save -o /root/only.tar only:here && docker rmi only:here'
    "$rig" send aarch64 x86-64 /root/only.tar /root/only.tar

    run guest x86-64 hrunc migrate --dry-run --image /root/only.tar box root@aarch64
    [ "$output" = "box: nothing stands in the way of a move to root@aarch64" ]
    running x86-64 box
    [ -z "$(guest aarch64 docker images -q only:here)" ]

    # On a terminal it says what it is at, with bytes and rate of what it sends.
    run guest x86-64 python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' \
        hrunc migrate --name other --image /root/only.tar box root@aarch64
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"checking both hosts"*"sending image"*": "*" MB, "*" MB/s"*"checkpointing"*"sending the checkpoint"*"restoring"* ]]
    running aarch64 other
    gone x86-64 box
    nothing_but_box x86-64 aarch64
    remove other
}

# strike PHASE SIGNAL [SECONDS]: starts a migration, and strikes it so long (0.3 s) after it has come that far.
strike() {
    shell x86-64 "hrunc migrate box root@aarch64 >/tmp/struck 2>&1 </dev/null & pid=\$!
        until grep -qs '\"phase\": \"$1\"' /var/lib/hrunc/migrate/*/journal.json; do
            kill -0 \$pid 2>/dev/null || { cat /tmp/struck; exit 1; }
        done
        sleep ${3-0.3}
        kill -$2 \$pid; wait \$pid; cat /tmp/struck; true"
}

@test "killed while it prepares, checkpoints or sends, it is undone, and the container goes on here" {
    start_box --restart always hello:test /app/hello 100
    local phase before
    for phase in preparing dumping dumped; do
        strike "$phase" KILL 0.1
        before=$(logs x86-64 | wc -l)
        run guest x86-64 hrunc migrate --recover
        echo "$phase: $output"
        [ "$status" = 0 ]
        [ "$output" = "box: it runs here" ]
        wait_for 60 "lines after the undo" has_lines x86-64 $((before + 2))
        gone aarch64 box
        [ "$(guest x86-64 docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' box)" = always ]
        nothing_but_box x86-64 x86-64
    done
    unbroken x86-64 # it was never started afresh
}

@test "killed while it restores, exactly one side runs after the next call" {
    start_box hello:test /app/hello 100
    strike starting KILL
    run guest x86-64 hrunc migrate --recover
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == "box: it runs here" || $output == "box: it runs on root@aarch64 now" ]]
    exactly_one_runs
    nothing_left
}

@test "a broken connection and Ctrl-C are undone at once, and the next call settles what a killed one left" {
    start_box popcorn:test /app/memory 16 200
    run strike dumped INT 0 # what is still to be sent takes less than half a second
    [[ $output == *"interrupted"*"the container runs here again"* ]]
    exactly_one_runs
    running x86-64 box

    shell x86-64 'hrunc migrate box root@aarch64 >/tmp/broken 2>&1 </dev/null & pid=$!
        until grep -qs "\"phase\": \"dumped\"" /var/lib/hrunc/migrate/*/journal.json; do :; done
        pkill -x ssh; wait $pid; echo $? >>/tmp/broken'
    run guest x86-64 cat /tmp/broken
    echo "$output"
    [[ $output == *"the container runs here again"*1 ]]
    running x86-64 box
    gone aarch64 box

    strike dumped KILL 0
    guest x86-64 hrunc migrate box root@aarch64
    running aarch64 box
    gone x86-64 box
    nothing_but_box x86-64 aarch64
}

@test "a full disk, here or there, undoes the move" {
    start_box hello:test /app/hello 100
    local isa
    for isa in x86-64 aarch64; do
        # Room for bytes, which is looked at before, but not for files.
        shell "$isa" 'mkdir -p /var/lib/hrunc/images && mount -t tmpfs -o mode=700,nr_inodes=8 none /var/lib/hrunc/images'
        run guest x86-64 hrunc migrate box root@aarch64
        shell "$isa" 'umount /var/lib/hrunc/images'
        echo "full on $isa: $output"
        [ "$status" = 1 ]
        [[ $output == *"No space left on device"*"the container runs here again"* ]]
        gone aarch64 box
        nothing_but_box x86-64 x86-64
    done
    unbroken x86-64
}
