# nginx, built out of Debian's source package, moves with its master, its workers and its shared memory while clients use it.
# shellcheck shell=bats disable=SC2154,SC2016
# (variables of lib.bash; what stands between single quotes is for the guests)

setup_file() {
    load lib.bash
    e2e_up
    example nginx
    # Files of random content, and one that takes a while.
    local site=$work/site number
    rm -rf "$site"
    mkdir -p "$site"
    for number in $(seq 20); do head -c $((number * 4001)) /dev/urandom >"$site/file-$number"; done
    head -c 8000000 /dev/urandom >"$site/large"
    (cd "$site" && sha256sum -- *) >"$work/sums"
    guest x86-64 rm -rf /root/site
    "$rig" put x86-64 "$site" /root/site
    "$rig" put x86-64 "$work/sums" /root/sums
    "$rig" put x86-64 "$root/tests/e2e/web_clients" /root/web_clients
}

setup() {
    load lib.bash
    remove box
    rm -f "$work/stop"
    shell x86-64 'rm -f /root/stop /root/web'
}

teardown() {
    touch "$work/stop"
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/nginx-$BATS_TEST_NUMBER" || true
    shell x86-64 'touch /root/stop'
    remove box
    unshare_network
    for isa in x86-64 aarch64; do guest "$isa" rm -rf /var/lib/hrunc; done
}

# The files are in the container's writable layer, which moves along.
start_nginx() {
    guest x86-64 docker create --name box --runtime hrunc "$@" nginx:test
    guest x86-64 docker cp -q /root/site/. box:/usr/share/nginx/html
    guest x86-64 docker start box
}

# in_box ISA SCRIPT: in the container's root directory, with the master's process id as $master: the child of init.
in_box() {
    shell "$1" "init=\$(docker inspect -f '{{.State.Pid}}' box); master=\$(pgrep -P \$init); cd /proc/\$init/root && $2"
}

workers() {
    in_box "$1" 'pgrep -P $master | sort | tr "\n" " "'
}

# Answers of the server, by its own count, which is kept in shared memory.
requests() {
    curl -s --unix-socket "$work/nginx-$1" http://web/status | awk '/^ / { print $3 }'
}

fetched() { # COMMAND...: which prints what web_clients does
    "$@" | grep -o 'fetched: [0-9]*' | tail -n 1 | cut -d' ' -f2
}

has_fetched() {
    local count
    count=$(fetched "${@:2}") && [ "${count:-0}" -ge "$1" ]
}

@test "every file comes whole through moves in both directions" {
    start_nginx -p 127.0.0.1:8080:8080 --annotation org.hrunc.tcp=close
    local isa from to count before after
    for isa in x86-64 aarch64; do "$rig" forward "$isa" 8080 "$work/nginx-$isa"; done
    "$root/tests/e2e/web_clients" "$work/stop" "$work/sums" "$work/nginx-x86-64" "$work/nginx-aarch64" >"$work/web" 3>&- &
    local clients=$!
    wait_for 60 "files" has_fetched 20 cat "$work/web"
    for from in x86-64 aarch64 x86-64; do
        to=$(other_isa "$from")
        before=$(requests "$from")
        guest "$from" hrunc migrate box "root@$to"
        count=$(fetched cat "$work/web")
        wait_for 60 "files from $to" has_fetched $((count + 20)) cat "$work/web"
        after=$(requests "$to")
        [ "$after" -gt "$before" ]
    done
    touch "$work/stop"
    wait "$clients" || { tail -n 1 "$work/web" && return 1; }
    tail -n 1 "$work/web"
    nothing_left
}

@test "connections that are kept alive, and a long download, go on where the address moves along" {
    local from to count
    shared_network
    start_nginx --network shared --ip 10.77.0.70 --annotation org.hrunc.tcp=established
    shell x86-64 'set -e
        ip netns exec clients python3 /root/web_clients --lasting /root/stop /root/sums 10.77.0.70:8080 >/root/web 2>&1 </dev/null &'
    wait_for 60 "files" has_fetched 20 guest x86-64 cat /root/web
    for from in x86-64 aarch64; do
        to=$(other_isa "$from")
        guest "$from" hrunc migrate box "root@$to"
        count=$(fetched guest x86-64 cat /root/web)
        wait_for 60 "files from $to" has_fetched $((count + 20)) guest x86-64 cat /root/web
    done
    shell x86-64 'touch /root/stop'
    wait_for 90 "the end of the clients" shell x86-64 'grep "\"wrong\"" /root/web'
    run guest x86-64 tail -n 1 /root/web
    echo "$output"
    jq -e '.wrong == [] and .lost == 0 and .large >= 1' <<<"$output"
}

@test "after a move it reloads and opens its logs again, and moves back" {
    start_nginx -p 127.0.0.1:8080:8080
    local isa old
    for isa in x86-64 aarch64; do "$rig" forward "$isa" 8080 "$work/nginx-$isa"; done
    guest x86-64 hrunc migrate box root@aarch64
    old=$(workers aarch64)
    [ "$(wc -w <<<"$old")" = 2 ]

    in_box aarch64 'sed -i "s/worker_processes 2/worker_processes 3/; s|location = /status|location = /renamed { return 204; } location = /status|" etc/nginx/nginx.conf'
    guest aarch64 docker kill -s HUP box
    wait_for 60 "a reload" reloaded aarch64
    [ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$work/nginx-aarch64" http://web/renamed)" = 204 ]

    in_box aarch64 'mv var/log/nginx/access.log var/log/nginx/old.log'
    guest aarch64 docker kill -s USR1 box
    wait_for 60 "a new log" in_box aarch64 'test -e var/log/nginx/access.log'
    curl -s --unix-socket "$work/nginx-aarch64" http://web/file-7 | cmp - "$work/site/file-7"
    in_box aarch64 'grep -q "GET /file-7" var/log/nginx/access.log'
    # And all of it moves back.
    guest aarch64 hrunc migrate box root@x86-64
    wait_for 60 "the reloaded configuration" reloaded x86-64
    curl -s --unix-socket "$work/nginx-x86-64" http://web/file-7 | cmp - "$work/site/file-7"
}

reloaded() {
    [ "$(workers "$1" | wc -w)" = 3 ] && [ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$work/nginx-$1" http://web/renamed)" = 204 ]
}

@test "its binary is replaced after a move, and the new one moves back" {
    start_nginx -p 127.0.0.1:8080:8080 --annotation org.hrunc.tcp=close
    local isa old
    for isa in x86-64 aarch64; do "$rig" forward "$isa" 8080 "$work/nginx-$isa"; done
    guest x86-64 hrunc migrate box root@aarch64
    old=$(in_box aarch64 'echo $master')
    guest aarch64 docker kill -s USR2 box
    wait_for 60 "the new binary" in_box aarch64 'test -s run/nginx/nginx.pid.oldbin && test -s run/nginx/nginx.pid'
    guest aarch64 docker kill -s QUIT box
    wait_for 60 "the old one's end" replaced aarch64 "$old"
    curl -s --unix-socket "$work/nginx-aarch64" http://web/file-7 | cmp - "$work/site/file-7"

    guest aarch64 hrunc migrate box root@x86-64
    [ "$(workers x86-64 | wc -w)" = 2 ]
    curl -s --unix-socket "$work/nginx-x86-64" http://web/file-7 | cmp - "$work/site/file-7"
    guest x86-64 docker stop -t 60 box
    [ "$(guest x86-64 docker inspect -f '{{.State.ExitCode}}' box)" = 0 ]
}

replaced() { # ISA OLD
    [ "$(in_box "$1" 'echo $master')" != "$2" ] && in_box "$1" '! test -e run/nginx/nginx.pid.oldbin' && [ "$(workers "$1" | wc -w)" = 2 ]
}
