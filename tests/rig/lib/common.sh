# shellcheck shell=bash disable=SC2154,SC2034
# (variables of the sourced parts)
# Names, places and messages that every part of the rig shares.

readonly all_isas=(x86-64 aarch64)
readonly all_suites=(trixie bookworm)

rig_cache=${HRUNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hrunc}/rig
run_root=${HRUNC_RIG_RUN:-$rig_cache/run}
key_dir=$rig_cache/keys

# A Unix socket's path has 108 bytes at most, which a cache folder can exceed; sockets live here.
socket_dir=/tmp/hrunc-rig-$(id -u)-$(printf %s "$run_root" | sha256sum | cut -c1-8)

say() { printf 'rig: %s\n' "$*" >&2; }
die() { printf 'rig: error: %s\n' "$*" >&2; exit 1; }

# now_ms: milliseconds of a clock that only this process compares.
now_ms() { local t=$EPOCHREALTIME; echo $((${t/[.,]/} / 1000)); }
# since MS: "12.3 s" passed since that now_ms.
since() { local d=$(($(now_ms) - $1)); printf '%d.%d s' $((d / 1000)) $((d % 1000 / 100)); }

check_places() {
    [[ $rig_cache$run_root =~ ^[A-Za-z0-9/._+-]+$ ]] ||
        die "cache folder '$rig_cache': only letters, digits and /._+- work; set HRUNC_CACHE to such a path"
    mkdir -p "$rig_cache" "$run_root"
    mkdir -m 0700 "$socket_dir" 2>/dev/null || :
    [[ -O $socket_dir && ! -L $socket_dir ]] ||
        die "socket folder '$socket_dir' belongs to somebody else: remove it, or set HRUNC_RIG_RUN"
}

# set_isa ISA: the facts of an ISA, as variables of the caller's scope.
set_isa() {
    isa=$1
    case $isa in
    x86-64)
        deb_arch=amd64 qemu=qemu-system-x86_64 machine=q35 cpu=max
        console=ttyS0 lan_ip=10.77.0.1 mac_digit=1 ;;
    aarch64)
        # pauth costs a factor of ten under TCG, and criu knows no SVE state.
        deb_arch=arm64 qemu=qemu-system-aarch64 machine=virt cpu=max,pauth=off,sve=off
        console=ttyAMA0 lan_ip=10.77.0.2 mac_digit=2 ;;
    *) die "unknown ISA '$isa': it is one of ${all_isas[*]}" ;;
    esac
}

check_suite() {
    local s
    for s in "${all_suites[@]}"; do [[ $1 == "$s" ]] && return; done
    die "unknown suite '$1': it is one of ${all_suites[*]}"
}

# each_isa FUNCTION ISA...: runs FUNCTION for all of them at once, fails if one fails.
each_isa() {
    local f=$1 i failed=0 pids=()
    shift
    if (($# == 1)); then "$f" "$1"; return; fi
    for i in "$@"; do ("$f" "$i") & pids+=($!); done
    for i in "${pids[@]}"; do wait "$i" || failed=1; done
    ((failed == 0)) || exit 1
}

# ---- what the host needs

readonly deps=(
    qemu-system-x86_64:qemu-system-x86 qemu-system-aarch64:qemu-system-arm qemu-img:qemu-utils
    mmdebstrap:mmdebstrap mke2fs:e2fsprogs depmod:kmod cpio:cpio xz:xz-utils zstd:zstd
    ssh:openssh-client ssh-keygen:openssh-client socat:socat flock:util-linux
    newuidmap:uidmap
)
readonly debian_keyring=/usr/share/keyrings/debian-archive-trixie-stable.gpg

missing_packages() {
    local d
    for d in "${deps[@]}"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${d%%:*}" >/dev/null || echo "${d##*:}"
    done | sort -u
    [[ -e $debian_keyring ]] || echo debian-archive-keyring
}

apt_get() {
    if (($(id -u) == 0)); then
        DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2
    else
        sudo env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2
    fi
}

# install_backports PACKAGE...: from Debian's backports to this host's release, which stay unknown to the host's own apt.
install_backports() (
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    lists=$(mktemp -d "${TMPDIR:-/var/tmp}/hrunc-rig-apt.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$lists' 2>/dev/null || sudo rm -rf '$lists'" EXIT
    chmod 0755 "$lists"
    mkdir -p "$lists/lists/partial"
    { apt_sources "$release" && printf 'deb %s %s main\n' "$(host_mirror Debian)" "$release-backports"; } >"$lists/sources.list"
    there=(-o "Dir::Etc::SourceList=$lists/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$lists/lists"
        -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache=)
    apt_get "${there[@]}" update && apt_get "${there[@]}" install -y --no-install-recommends -t "$release-backports" "$@"
)

verb_deps() {
    local packages emulators
    mapfile -t packages < <(missing_packages)
    if ((${#packages[@]} == 0)); then say "deps: nothing is missing"; return; fi
    say "deps: installing ${packages[*]}"
    apt_get update
    mapfile -t emulators < <(printf '%s\n' "${packages[@]}" | grep '^qemu-' || :)
    # The QEMU of Debian 12 itself is slower.
    if ((${#emulators[@]})) && grep -qx VERSION_CODENAME=bookworm /etc/os-release; then
        install_backports "${emulators[@]}" || say "deps: without Debian's backports; with the QEMU of Debian 12 itself the guests are slower"
    fi
    apt_get install -y --no-install-recommends "${packages[@]}"
}

need_deps() {
    local packages
    mapfile -t packages < <(missing_packages)
    ((${#packages[@]} == 0)) || die "the host lacks ${packages[*]}: run '$rig_dir/rig deps'"
}
