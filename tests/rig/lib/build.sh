# shellcheck shell=bash disable=SC2154,SC2016
# (variables of the sourced parts; apt expands its own format)
# Disk images: Debian's packages unpacked, not configured, plus the files of guest/.

readonly guest_packages=(
    base-files base-passwd libc-bin bash dash coreutils util-linux mount login passwd procps kmod hostname
    grep sed mawk findutils diffutils tar gzip zstd iproute2 iputils-ping iptables nftables
    openssh-server openssh-client docker.io containerd runc criu redis-server redis-tools
    busybox-static strace netcat-openbsd bats tcl
)
# The suites split docker.io and criu differently.
declare -rA suite_packages=(
    [trixie]='docker-cli python3-pycriu'
    [bookworm]=''
)

# One set of keys a cache: host to guest, guest to guest, and the guests' own host key.
make_keys() {
    local k
    mkdir -p "$key_dir"
    chmod 0700 "$key_dir"
    for k in host guest sshd; do
        [[ -e $key_dir/$k.pub ]] ||
            ssh-keygen -q -t ed25519 -N '' -C "hrunc-rig-$k" -f "$key_dir/$k"
    done
    echo "hrunc-rig $(cut -d' ' -f1,2 "$key_dir/sshd.pub")" >"$key_dir/known_hosts"
}

# image_dir SUITE ISA: where the image with the inputs of now is kept.
image_dir() {
    local hash
    hash=$({
        echo "$1 $2 ${guest_packages[*]} ${suite_packages[$1]}"
        cat "$rig_dir"/lib/rootfs "$rig_dir"/guest/* "$key_dir"/*.pub
    } | sha256sum | cut -c1-12)
    echo "$rig_cache/$1-$2-$hash"
}

# host_mirror LABEL: the mirror that this host's apt takes Debian's main archive or its security archive from; nothing if it
# takes it from nowhere.
host_mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -F'|' -v l="$1" '$1 == "Debian" && $2 == l && $3 ~ /^https?:/ { print $3; exit }'
}

apt_sources() {
    local main security
    main=$(host_mirror Debian)
    security=$(host_mirror Debian-Security)
    [[ $main ]] || die "this host's apt has no lists of Debian's archive to build guests from: run 'apt-get update'"
    printf 'deb %s %s main\n' "$main" "$1" "$main" "$1-updates"
    if [[ $security ]]; then printf 'deb %s %s main\n' "$security" "$1-security"; fi
}

build_one() (
    set -euo pipefail
    set_isa "$1"
    local image work debs start include mode=root
    image=$(image_dir "$suite" "$isa")
    exec 9>"$rig_cache/.build-$suite-$isa.lock"
    flock 9
    if [[ -e $image/base.img ]]; then touch "$image"; return; fi
    # Images of older inputs, each with its saved states, unless they were used within a day.
    find "$rig_cache" -maxdepth 1 -name "$suite-$isa-*" -mtime +0 -exec rm -rf {} +

    start=$(now_ms)
    say "$suite-$isa: building the disk image (about half a minute, ${image##*/})"
    debs=$rig_cache/debs/$suite-$isa
    # mmdebstrap's user namespace must be able to reach this folder, so it is not in the cache.
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/hrunc-rig.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    chmod 0755 "$work"
    mkdir -p "$debs" "$work/debs" "$work/out" "$work/keys"
    chmod 0777 "$work/debs" "$work/out"
    cp -a "$debs/." "$work/debs/"
    cp -r "$rig_dir/guest" "$rig_dir/lib/rootfs" "$work/"
    cp "$key_dir"/{host,guest,sshd}.pub "$key_dir"/{guest,sshd} "$work/keys/"
    chmod -R a+rX "$work"
    apt_sources "$suite" >"$work/sources.list"
    include=$(IFS=,; echo "${guest_packages[*]}")
    include+=,linux-image-cloud-$deb_arch
    if [[ ${suite_packages[$suite]} ]]; then include+=,${suite_packages[$suite]// /,}; fi
    if (($(id -u) != 0)); then mode=unshare; fi

    # mmdebstrap names a descriptor to dash, which knows only those of one digit: what a caller has open is closed.
    PATH=$PATH:/usr/sbin:/sbin mmdebstrap --mode="$mode" --variant=extract --format=null \
        --architectures="$deb_arch" --include="$include" \
        --aptopt='APT::Install-Recommends "false"' \
        --setup-hook="sh '$work/rootfs' setup \"\$1\" '$work'" \
        --extract-hook="sh '$work/rootfs' finish \"\$1\" '$work'" \
        "$suite" - "$work/sources.list" >"$work/log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- ||
        { tail -n 30 "$work/log" >&2
          cp "$work/log" "$rig_cache/build-$suite-$isa.log"
          die "$suite-$isa: mmdebstrap failed; all of its output: $rig_cache/build-$suite-$isa.log"; }

    rm -rf "$debs" "$image.new"
    mkdir -p "$debs" "$image.new"
    cp "$work"/debs/*.deb "$debs/"
    cp --sparse=always "$work"/out/* "$image.new/"
    rm -rf "$image"
    mv "$image.new" "$image"
    say "$suite-$isa: image built in $(since "$start")"
)

verb_build() {
    need_deps
    make_keys
    each_isa build_one "$@"
}
