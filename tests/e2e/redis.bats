# Redis, built out of Debian's source package, moves while clients use it.
# shellcheck shell=bats disable=SC2154,SC2016
# (variables of lib.bash; what stands between single quotes is for the guests)

# HRUNC_REDIS_MOVES: how many moves in a row the clients see. HRUNC_REDIS_UNITS: which units of Redis' own test suite run while it moves
# ("all": every one that can run against a server that is there already).

setup_file() {
    load lib.bash
    e2e_up
    example redis
}

setup() {
    load lib.bash
    remove box
    rm -f "$work/stop"
}

teardown() {
    touch "$work/stop"
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/redis-$BATS_TEST_NUMBER" || true
    remove box
    unshare_network
    for isa in x86-64 aarch64; do guest "$isa" rm -rf /var/lib/hrunc; done
}

# start_redis DOCKER-OPTIONS... -- REDIS-OPTIONS...
start_redis() {
    local options=() isa
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    guest x86-64 docker run -d --name box --runtime hrunc "${options[@]}" redis:test redis-server /etc/redis.conf "$@"
    for isa in x86-64 aarch64; do "$rig" forward "$isa" 6379 "$work/redis-$isa"; done
    wait_for 60 "Redis" answers x86-64
}

redis() { # ISA COMMAND...
    "$work/example-redis/root/usr/local/bin/redis-cli_x86-64" -s "$work/redis-$1" "${@:2}"
}

answers() {
    [ "$(redis "$1" PING 2>/dev/null)" = PONG ]
}

info() { # ISA FIELD
    redis "$1" INFO | tr -d '\r' | sed -n "s/^$2://p"
}

is() { # VALUE COMMAND...
    [ "$("${@:2}")" = "$1" ]
}

# kB of memory of its own.
resident() { # ISA
    shell "$1" 'sed -n "s/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$(docker inspect -f "{{.State.Pid}}" box)/status"'
}

# How much of that is not what it keeps for its clients.
overhead() { # ISA
    echo $(($(resident "$1") - $(info "$1" used_memory) / 1024))
}

nothing_but_box() {
    local isa
    nothing_left
    for isa in x86-64 aarch64; do
        shell "$isa" '[ -z "$(find /var/lib/hrunc -mindepth 2 2>/dev/null)" ] && ! pgrep -x ssh'
    done
}

@test "clients that write while it moves again and again lose no write, and neither does its append-only file" {
    start_redis -p 127.0.0.1:6379:6379 --annotation org.hrunc.tcp=close -- --appendonly yes
    "$root/tests/e2e/redis_clients" "$work/stop" "$work/redis-x86-64" "$work/redis-aarch64" >"$work/clients.json" 3>&- &
    local clients=$! from=x86-64 to move length=0 before=0
    for ((move = 1; move <= ${HRUNC_REDIS_MOVES:-20}; move++)); do
        to=$(other_isa "$from")
        echo "move $move, from $from"
        guest "$from" hrunc migrate box "root@$to"
        wait_for 60 "clients after move $move" grew "$to" "$length"
        length=$(redis "$to" LLEN list:0)
        from=$to
        echo "$(resident "$from") kB of its own in memory"
        [ "$move" != 2 ] || before=$(overhead "$from")
    done
    [ "$(overhead "$from")" -lt $((before + 16384)) ] # it does not grow by moving
    touch "$work/stop"
    wait "$clients" || { cat "$work/clients.json" && return 1; }
    jq . "$work/clients.json"
    jq -e --argjson moves $((move - 1)) '.reconnects >= $moves' "$work/clients.json"
    nothing_but_box

    redis "$from" LRANGE list:0 0 -1 >"$work/list"
    guest "$from" docker restart box
    wait_for 60 "Redis, started afresh" answers "$from"
    redis "$from" LRANGE list:0 0 -1 | diff "$work/list" -
}

# Whether the first client has written more than it had.
grew() { # ISA LENGTH
    local length
    length=$(redis "$1" LLEN list:0 2>/dev/null) && [ "$length" -gt "$2" ]
}

@test "a running script, a background save and times to live go on after a move" {
    start_redis -p 127.0.0.1:6379:6379 --annotation org.hrunc.tcp=close -- --save "" --rdb-key-save-delay 2000
    local began remaining saved
    redis x86-64 EVAL "for i = 1, 5000 do redis.call('set', 'key:' .. i, i) end" 0
    redis x86-64 SET lasting 1 PX 600000
    redis x86-64 SET passing 1 PX 60000
    began=$(date +%s)
    saved=$(redis x86-64 LASTSAVE)
    redis x86-64 BGSAVE
    is 1 info x86-64 rdb_bgsave_in_progress
    redis x86-64 EVAL "local i = 0; while i < 100000000 do i = i + 1 end; redis.call('set', 'counted', i)" 0 >"$work/eval" 2>&1 3>&- &
    wait_for 30 "a script that runs" busy x86-64

    guest x86-64 hrunc migrate box root@aarch64
    wait_for 300 "the script's end" is 100000000 redis aarch64 GET counted
    wait_for 120 "the save's end" is 0 info aarch64 rdb_bgsave_in_progress
    is ok info aarch64 rdb_last_bgsave_status
    [ "$(redis aarch64 LASTSAVE)" -gt "$saved" ]
    remaining=$((600 - ($(date +%s) - began)))
    echo "time to live: $(redis aarch64 TTL lasting), expected $remaining"
    [ "$(redis aarch64 TTL lasting)" -ge $((remaining - 3)) ]
    [ "$(redis aarch64 TTL lasting)" -le $((remaining + 3)) ]
    wait_for 60 "the end of a time to live" is 0 redis aarch64 EXISTS passing
    [ $(($(date +%s) - began)) -ge 57 ]
    # What was saved is what was there.
    guest aarch64 docker restart box
    wait_for 60 "Redis, started afresh" answers aarch64
    is 5000 redis aarch64 GET key:5000
}

busy() {
    redis "$1" PING 2>&1 | grep -q BUSY
}

@test "connected clients stay connected where the address moves along, and a blocked one gets its answer" {
    shared_network
    guest x86-64 docker run -d --name box --runtime hrunc --network shared --ip 10.77.0.70 --annotation org.hrunc.tcp=established redis:test
    "$rig" put x86-64 "$root/tests/e2e/connected_clients" /root/connected_clients
    shell x86-64 'rm -f /root/connected
        ip netns exec clients python3 /root/connected_clients 10.77.0.70 >/root/connected 2>&1 </dev/null &'
    wait_for 60 "connected clients" connected 100
    local from to count
    for from in x86-64 aarch64; do
        to=$(other_isa "$from")
        guest "$from" hrunc migrate box "root@$to"
        count=$(answered)
        wait_for 60 "answers from $to" connected $((count + 100)) || { shell x86-64 'cat /root/connected' && return 1; }
    done
    shell x86-64 'touch /root/connected.stop'
    wait_for 60 "the blocked client's answer" shell x86-64 'grep -q "^blocked: pushed$" /root/connected'
    run shell x86-64 'cat /root/connected'
    echo "$output" | tail -3
    [[ $output == *"never lost"* ]]
    nothing_but_box
}

answered() {
    shell x86-64 'grep -o "^answers: [0-9]*" /root/connected | tail -n 1 | cut -d" " -f2'
}

connected() {
    local count
    count=$(answered) && [ "${count:-0}" -ge "$1" ]
}

@test "Redis' own test suite passes while the server moves" {
    local units=(unit/type/incr unit/keyspace) moves=0 from=x86-64 pause=2 tries=1
    shared_network
    guest x86-64 docker run -d --name box --runtime hrunc --network shared --ip 10.77.0.70 --annotation org.hrunc.tcp=established \
        redis:test redis-server /etc/redis.conf --enable-debug-command yes --enable-module-command yes --enable-protected-configs yes
    redis_suite
    [ -z "${HRUNC_REDIS_UNITS-}" ] || read -ra units <<<"$HRUNC_REDIS_UNITS"
    # The whole suite would take hours on a server that is away for half of the time. Some of its tests allow the server less time
    # than a move takes here: their units are run again, moves and all.
    [ "${units[0]}" != all ] || { units=() pause=60 tries=4; }
    : >"$work/suite.log"
    until run_units "${units[@]}"; do
        mapfile -t units < <(sed -n 's/^\[err\]: .* in tests\/\(.*\)\.tcl$/\1/p' "$work/units.log" | sort -u)
        tries=$((tries - 1)) pause=5
        if [ "$tries" = 0 ] || [ "${#units[@]}" = 0 ]; then tail -n 40 "$work/units.log" && return 1; fi
        echo "again: ${units[*]}, for"
        grep '^\[err\]' -A 1 "$work/units.log"
    done
    echo "$(grep -c '\[ok\]' "$work/suite.log") tests, $moves moves"
    [ "$(grep -c '\[ok\]' "$work/suite.log")" -gt 20 ]
    [ "$moves" -ge 1 ]
}

# run_units UNIT...: these, or all, while box moves back and forth.
run_units() {
    # As Redis' own CI runs it against a server that is there already. What is left out looks for the server's process, its files, and a
    # port that it cannot have, on the machine where the suite runs.
    local words=(--tags -slow --skiptest "'/^Dumping an RDB'" --skiptest "'CONFIG SET rollback on apply error'") unit runs to status=0
    for unit; do words+=(--single "$unit"); done
    # Its clients are in the guest: it counts on it that of two connections the one that was made first is heard first.
    shell x86-64 "cd /root/suite && TERM=dumb ip netns exec clients tclsh8.6 tests/test_helper.tcl --host 10.77.0.70 --port 6379 --clients 1 ${words[*]}" \
        >"$work/units.log" 2>&1 3>&- &
    runs=$!
    while sleep "$pause" && kill -0 "$runs" 2>/dev/null; do
        to=$(other_isa "$from")
        guest "$from" hrunc migrate box "root@$to" || return 1
        from=$to moves=$((moves + 1))
    done
    wait "$runs" || status=1
    cat "$work/units.log" >>"$work/suite.log"
    return "$status"
}

# /root/suite in the x86-64 guest: of Redis' source tree what its test suite needs, with the clients that the example has.
redis_suite() {
    local suite=$work/suite name
    rm -rf "$suite"
    mkdir -p "$suite/src"
    tar xf "$(HRUNC_CACHE=${HRUNC_CACHE:-$HOME/.cache/hrunc} "$root/popcorn/libc/fetch-source" redis-server redis_7.0.15.orig.tar.gz \
        4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982)" -C "$suite" --strip-components=1 --wildcards '*/tests'
    for name in redis-server redis-cli redis-benchmark; do cp "$work/example-redis/root/usr/local/bin/${name}_x86-64" "$suite/src/$name"; done
    "$rig" put x86-64 "$suite" /root/suite
}
