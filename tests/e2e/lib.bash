# shellcheck shell=bash
# What the end-to-end tests and the demo share: two guests, one per ISA, with hrunc in both, and a container that moves.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rig=$root/tests/rig/rig
work=${HRUNC_E2E_WORK:-$root/build/e2e}
mkdir -p "$work"

other_isa() {
    case $1 in x86-64) echo aarch64 ;; aarch64) echo x86-64 ;; esac
}

binary() {
    case $1 in
        x86-64) echo "$root/build/release/shim/hrunc" ;;
        aarch64) echo "$root/build/release-aarch64/shim/hrunc" ;;
    esac
}

# guest ISA COMMAND...: a command in a guest, as root.
guest() {
    "$rig" run "$1" -- "${@:2}"
}

# shell ISA SCRIPT: a shell script in a guest.
shell() {
    guest "$1" sh -c "$2"
}

# build_programs KEY: the test programs and, for each ISA, a root file system that holds them under /app, NAME being the one for that ISA.
build_programs() {
    local programs=$work/programs isa file
    rm -rf "$programs"
    "$root/dev" toolchain
    "$root/examples/helloworld/build" "$programs/helloworld"
    "$root/tests/programs/popcorn/build" "$programs/popcorn"
    for isa in x86-64 aarch64; do
        mkdir -p "$programs/root/app"
        cp "$programs"/popcorn/*_x86-64 "$programs"/popcorn/*_aarch64 "$programs/root/app"
        for file in "$programs"/popcorn/*_"$isa"; do cp "$file" "$programs/root/app/$(basename "${file%_"$isa"}")"; done
        tar -C "$programs/root" --owner=0 --group=0 -cf "$programs/popcorn-$isa.tar" app
        rm -r "$programs/root"
    done
    echo "$1" >"$programs/built"
}

# What the test programs are made of.
programs_key() {
    (cd "$root" && { git ls-files -s examples tests/programs popcorn && git diff -- examples tests/programs popcorn; }) | sha256sum
}

# Both guests up, this build's hrunc in each, and the test images loaded. Guests that run with the same files are kept.
e2e_up() {
    local isa stamp key
    key=$(programs_key)
    if [ "$(cat "$work/programs/built" 2>/dev/null)" != "$key" ] && ! build_programs "$key" >"$work/programs.log" 2>&1; then
        cat "$work/programs.log" >&2
        return 1
    fi
    "$rig" up --keep
    for isa in x86-64 aarch64; do
        stamp=$(cat "$(binary "$isa")" "$work"/programs/*/*.tar "$work"/programs/*.tar | sha256sum | cut -c1-16)
        [ "$(guest "$isa" cat /run/hrunc-e2e 2>/dev/null)" = "$stamp" ] && continue
        "$rig" put "$isa" "$(binary "$isa")" /usr/local/bin/hrunc
        "$rig" put "$isa" "$work/programs/helloworld/hello-$isa.tar" /programs/hello.tar
        "$rig" put "$isa" "$work/programs/popcorn-$isa.tar" /programs/popcorn.tar
        shell "$isa" "
            set -e
            docker import -c 'CMD [\"/app/hello\"]' /programs/hello.tar hello:test >/dev/null
            docker import /programs/popcorn.tar popcorn:test >/dev/null
            echo $stamp >/run/hrunc-e2e"
    done
}

# built_example NAME: examples/NAME, built, which $work/example-NAME leads to. It is kept under a key of all that it is made of.
built_example() {
    local name=$1 key built
    key=$(cd "$root" && { git ls-files -s examples/lib.sh "examples/$name" popcorn && git diff HEAD -- examples/lib.sh "examples/$name" popcorn; } | sha256sum | cut -c1-16)
    built=${HRUNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hrunc}/example-$name-$key
    if [ ! -d "$built" ]; then
        "$root/dev" toolchain >"$work/toolchain.log" 2>&1 || { cat "$work/toolchain.log" >&2 && return 1; }
        rm -rf "$built.part"
        "$root/examples/$name/build" "$built.part" >"$work/example-$name.log" 2>&1 || { tail "$work/example-$name.log" >&2 && return 1; }
        rm -rf "$built.part/source"
        mv "$built.part" "$built"
    fi
    ln -sfn "$built" "$work/example-$name"
}

# example NAME: examples/NAME is the image NAME:test in both guests.
example() {
    local name=$1 built isa file architecture
    built_example "$name"
    built=$(readlink "$work/example-$name")
    for isa in x86-64 aarch64; do
        [ "$(guest "$isa" cat "/run/example-$name" 2>/dev/null)" = "$built" ] && continue
        for file in Dockerfile "$name-x86-64.tar" "$name-aarch64.tar"; do "$rig" put "$isa" "$built/$file" "/root/example-$name/$file"; done
        architecture=$(case $isa in x86-64) echo amd64 ;; aarch64) echo arm64 ;; esac)
        guest "$isa" docker build -q --build-arg "TARGETARCH=$architecture" -t "$name:test" "/root/example-$name" 2>&1
        shell "$isa" "rm -r /root/example-$name && echo $built >/run/example-$name"
    done
}

checkpoints() {
    guest "$1" docker inspect -f '/var/lib/docker/containers/{{.Id}}/checkpoints' "$2"
}

# move NAME FROM TO CHECKPOINT [CREATE-OPTIONS... IMAGE [COMMAND...]]: checkpoints the container on FROM and starts it
# from there on TO, where it is created if it does not exist.
move() {
    local name=$1 from=$2 to=$3 checkpoint=$4 source target
    shift 4
    guest "$from" docker checkpoint create "$name" "$checkpoint" >/dev/null
    guest "$to" docker inspect "$name" >/dev/null 2>&1 || guest "$to" docker create --name "$name" --runtime hrunc "$@" >/dev/null
    source=$(checkpoints "$from" "$name")
    target=$(checkpoints "$to" "$name")
    "$rig" send "$from" "$to" "$source/$checkpoint" "$target/$checkpoint"
    guest "$to" docker start --checkpoint "$checkpoint" "$name" >/dev/null
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "waited in vain for $what" >&2
            return 1
        fi
        sleep 0.3
    done
}

# What the container box has printed on a host, and whether it is so many lines by now.
logs() {
    guest "$1" docker logs box 2>/dev/null
}

has_lines() {
    [ "$(logs "$1" | wc -l)" -ge "$2" ]
}

# Fails, and shows them, if there are lines in the input that the expression does not match.
all_match() {
    ! grep -vE "$1"
}

nothing_left() {
    [ -z "$(leftovers x86-64)" ] && [ -z "$(leftovers aarch64)" ]
}

running() {
    [ "$(guest "$1" docker inspect -f '{{.State.Running}}' "$2")" = true ]
}

# On both hosts a network for the container's address, which is the same on both; in the x86-64 guest, a network namespace "clients" with
# an interface to it.
shared_network() {
    local isa
    for isa in x86-64 aarch64; do
        guest "$isa" docker network create -d macvlan --subnet 10.77.0.0/24 --ip-range 10.77.0.64/26 -o parent=eth1 shared
    done
    shell x86-64 "set -e
        ip netns add clients
        ip link add link eth1 name clients0 type macvlan mode bridge
        ip link set clients0 netns clients
        ip -n clients addr add 10.77.0.60/32 dev clients0
        ip -n clients link set lo up
        ip -n clients link set clients0 up
        ip -n clients route add 10.77.0.64/26 dev clients0"
}

# unshare_network: what shared_network made is gone.
unshare_network() {
    local isa
    for isa in x86-64 aarch64; do
        shell "$isa" 'ip netns del clients 2>/dev/null; ip link del clients0 2>/dev/null; docker network rm -f shared >/dev/null 2>&1' || true
    done
}

# What a finished operation must not leave on a host: prints anything that is there.
leftovers() {
    shell "$1" '
        ls -A /run/hrunc 2>/dev/null
        pgrep -a "^criu" || true
        grep -E "criu-root|/run/hrunc" /proc/mounts || true'
}

remove() {
    local isa
    for isa in x86-64 aarch64; do guest "$isa" docker rm -f "$@" >/dev/null 2>&1 || true; done
}
