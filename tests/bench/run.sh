# shellcheck shell=bash disable=SC2154
# ./dev bench, sourced by ./dev: every tests/bench/NAME/bench prints a table, writes build/bench/NAME.json, and with
# --check exits 1 where it misses its goal; its last line is the figure that decides.

# What a benchmark needs beyond the build.
bench_needs() {
    case $1 in
        recode)
            command -v crit >/dev/null && return
            # A package of its own from Debian 13 on, a part of criu in 12.
            case $(. /etc/os-release && echo "$VERSION_ID") in
                12) need criu ;;
                *) need python3-pycriu ;;
            esac ;;
        overhead) tests/rig/rig deps ;;
        downtime) deps_tests; tests/rig/rig deps ;;
        toolchain | parking)
            need musl-dev tcl
            ./dev toolchain >"$logs/toolchain.log" 2>&1 || die "the toolchain was not built; see $logs/toolchain.log" ;;
    esac
}

run_bench() {
    local names=() check=() sizes=() argument status=0
    for argument in "$@"; do
        case $argument in
            --check) check=(--check) ;;
            -*) die "bench: unknown option $argument" ;;
            [1-9]*) sizes+=("$argument") ;;
            *) names+=("$argument") ;;
        esac
    done
    if [ ${#names[@]} = 0 ]; then
        for argument in tests/bench/*/bench; do names+=("$(basename "$(dirname "$argument")")"); done
    fi
    mkdir -p build/bench
    for argument in "${names[@]}"; do
        [ -x "tests/bench/$argument/bench" ] || die "no benchmark \"$argument\" in tests/bench"
        bench_needs "$argument"
        ./dev build dev >"$logs/build-dev.log" 2>&1 || die "the build failed; see $logs/build-dev.log"
        "tests/bench/$argument/bench" --json "build/bench/$argument.json" "${check[@]}" "${sizes[@]}" || status=1
    done
    return $status
}
