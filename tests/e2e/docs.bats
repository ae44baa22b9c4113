# shellcheck shell=bats disable=SC2154,SC2016,SC2013
# What the pages say is tried: each command in the guests, each configuration with the programs that read it.
#
# The fence of a block says where it runs: "sh x86-64", "sh aarch64" and "sh" (both) in a guest, as root; "sh build" in this
# tree, with ssh and scp leading to the guests; "sh host" not at all. "json PATH" is the file PATH.

setup_file() {
    load lib.bash
    e2e_up
    local isa
    for isa in x86-64 aarch64; do
        "$rig" image busybox "$isa"
        shell "$isa" '
            docker tag busybox:rig busybox
            grep -q " pc$" /etc/hosts || printf "10.77.0.1 pc\n10.77.0.2 pi\n" >>/etc/hosts
            printf "Host pc\nHostKeyAlias x86-64\nHost pi\nHostKeyAlias aarch64\n" >/root/.ssh/config
            rm -rf /root/moved /root/there /root/back /root/recoded /root/try'
    done
    remove hello counter patient redis nginx
    install_tree x86-64 build/release
}

setup() {
    load lib.bash
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || "$rig" collect "$work/evidence/docs-$BATS_TEST_NUMBER" || true
}

teardown_file() {
    load lib.bash
    remove hello counter patient redis nginx
}

# install_tree ISA BUILD: what `cmake --install` puts on a host.
install_tree() {
    rm -rf "$work/tree"
    DESTDIR=$work/tree cmake --install "$root/$2" >/dev/null
    tar -C "$work/tree" --owner=0 --group=0 -c usr | guest "$1" tar -C / --no-overwrite-dir -x
}

# blocks PAGE: one file a block, NUMBER.LANGUAGE.MARK, in the page's order; gives their directory.
blocks() {
    local directory=$work/blocks/$1
    rm -rf "$directory"
    mkdir -p "$directory"
    awk -v directory="$directory" '
        /^```/ && file { close(file); file = ""; next }
        /^```/ { gsub("/", "-", $2); file = sprintf("%s/%02d.%s.%s", directory, ++count, substr($1, 4), $2); printf "" >file; next }
        file { print >file }' "$root/docs/$1.md"
    echo "$directory"
}

isa_of() {
    case $1 in root@pc*) echo x86-64 ;; root@pi*) echo aarch64 ;; *) return 1 ;; esac
}

# run_build FILE: in this tree, as from a machine that reaches pc and pi.
run_build() {
    ssh() { guest "$(isa_of "$1")" "${@:2}"; }
    scp() { "$rig" put "$(isa_of "$2")" "$1" "/root/${2#*:}"; }
    # What takes minutes to build is built once.
    examples/redis/build() { cp -rT "$work/example-redis/" "$1"; }
    examples/nginx/build() { cp -rT "$work/example-nginx/" "$1"; }
    # Not exported: the rig itself has a use for the real ssh.
    (cd "$root" && rig=$rig work=$work bash -euo pipefail -c "$(declare -f guest isa_of ssh scp examples/redis/build examples/nginx/build)
        set -x; . '$1'" </dev/null)
}

run_in() {
    guest "$1" bash -euxo pipefail -c "cd /root; $(<"$2")" </dev/null
}

# try PAGE: every command of the page.
try() {
    local file ran=0
    for file in "$(blocks "$1")"/*.sh.*; do
        case $file in
            *.host) continue ;;
            *.build) run_build "$file" || return 1 ;;
            *.x86-64 | *.aarch64) run_in "${file##*.}" "$file" || return 1 ;;
            *.sh.) run_in x86-64 "$file" && run_in aarch64 "$file" || return 1 ;;
            *) echo "unknown mark: $file" >&2 && return 1 ;;
        esac
        ran=$((ran + 1))
    done
    [ "$ran" -gt 0 ]
}

# The guests' Docker knows hrunc from its first start. forget_hrunc ISA: as on a host that hrunc is new to.
# (Without "runtimes" in the file, dockerd would keep those that it has.)
forget_hrunc() {
    shell "$1" '
        rm -f /etc/docker/daemon.json.before-hrunc
        python3 -c "
import json
name = \"/etc/docker/daemon.json\"
content = json.load(open(name))
content[\"runtimes\"] = {}
json.dump(content, open(name, \"w\"), indent=4)"
        cp /etc/docker/daemon.json /root/daemon.json
        kill -HUP "$(cat /var/run/docker.pid)"
        for try in $(seq 100); do docker info 2>/dev/null | grep -q "Runtimes:.* hrunc" || break; sleep 0.1; done'
}

@test "docs/install.md: every command works, and the uninstall leaves nothing" {
    local isa
    for isa in x86-64 aarch64; do forget_hrunc "$isa"; done
    try install
    [ -z "$(shell aarch64 'find /usr/local /etc /run /var/log -name "*hrunc*" ! -name "hrunc-e2e"')" ]
    install_tree aarch64 build/release-aarch64
    for isa in x86-64 aarch64; do
        guest "$isa" cmp /root/daemon.json /etc/docker/daemon.json
        [ -z "$(shell "$isa" 'docker info 2>/dev/null | grep "Runtimes:.* hrunc"')" ]
        guest "$isa" hrunc setup
    done
}

@test "hrunc check finds what a guest lacks" {
    guest aarch64 hrunc check
    shell aarch64 'echo "{\"criu\": \"/nowhere/criu\"}" >/root/check.json'
    run guest aarch64 env HRUNC_CONFIG=/root/check.json hrunc check
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"lacking  criu            criu \"/nowhere/criu\""*"No such file or directory"* ]]
    [[ $output == *"ok       runtime         /usr/local/bin/hrunc"* ]]
}

@test "docs/install.md: Docker's snippet is the one that is installed" {
    diff <(jq -S . "$(blocks install)"/*.json.-etc-docker-daemon.json) <(jq -S . "$root/conf/docker-daemon.json")
}

@test "docs/move.md: a container goes there and back by its commands" {
    try move
    [[ $(guest x86-64 docker logs --tail 1 hello) == hello\ *\ on\ x86-64:\ *\ ok ]]
    [[ $(guest aarch64 docker logs --tail 1 hello) == hello\ *\ on\ aarch64:\ *\ ok ]]
}

@test "docs/troubleshooting.md: every command works" {
    running x86-64 hello || skip "needs the container that the commands of docs/move.md leave"
    try troubleshooting
}

@test "docs/configuration.md: every command works" {
    try configuration
}

# accepts FILE-TEXT: by the name criu, hrunc reads the whole file first.
accepts() {
    guest x86-64 bash -c 'printf %s "$1" >/root/try.json; HRUNC_CONFIG=/root/try.json exec -a criu hrunc --version' bash "$1"
}

@test "docs/configuration.md: its example, and each value that it allows, is accepted, and its defaults are hrunc's" {
    run accepts '{"tcp": "maybe"}'
    [ "$status" -ne 0 ]
    accepts "$(cat "$(blocks configuration)"/*.json.-etc-hrunc-hrunc.json)"
    local key value
    while IFS='|' read -r _ key default allowed _; do
        key=$(tr -d ' `' <<<"$key")
        [ "$(jq ".\"$key\"" "$root/conf/hrunc.json")" = "$(tr -d ' `' <<<"$default")" ]
        for value in $(grep -oE '"[^"]*"' <<<"$default $allowed"); do accepts "{\"$key\": $value}" </dev/null >&2; done
        echo "$key"
    done < <(grep -E '^\| `[a-z-]+` \| `"' "$root/docs/configuration.md") >"$work/keys"
    diff <(sort "$work/keys") <(jq -r 'keys[]' "$root/conf/hrunc.json" | sort)
}

@test "docs/servers.md: every command works" {
    built_example redis
    built_example nginx
    try servers
}

@test "every ./dev command in the documents is one that ./dev help lists" {
    local verb verbs
    verbs=$("$root/dev" help | sed -nE 's/^\.\/dev ([a-z]+).*/\1/p' | sort -u)
    for verb in $(cat "$root"/README.md "$root"/docs/*.md | grep -oE '\./dev [a-z]+' | sed 's/.* //' | sort -u); do
        [ "$verb" = help ] || grep -qx "$verb" <<<"$verbs" || { echo "no verb: ./dev $verb" && return 1; }
    done
}

@test "every relative link in the documents leads somewhere" {
    local file link
    cd "$root"
    for file in $(git ls-files -co --exclude-standard '*.md'); do
        for link in $(grep -oE '\]\([^):#]+' "$file" | cut -c3-); do
            [ -e "$(dirname "$file")/$link" ] || { echo "$file: $link" && return 1; }
        done
    done
}
