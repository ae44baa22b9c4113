# shellcheck shell=bash disable=SC2154
# The stages of ./dev test, sourced by ./dev. Each counts its tests; the last line of the run is the sum.

passed=0 failed=0 skipped=0 failures=() failed_taps=()

count() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# A step that is one test by itself: name, command... (a command, not a function: `if` would switch its `set -e` off)
step() {
    local name=$1
    shift
    if "$@"; then
        count 1 0 0
    else
        count 0 1 0
        failures+=("$name")
    fi
}

ctest_stage() {
    local preset=$1 report=$PWD/build/$1/junit.xml
    ./dev build "$preset" >"$logs/build-$preset.log" 2>&1 || {
        tail -n 40 "$logs/build-$preset.log" >&2
        count 0 1 0
        failures+=("$preset: build; see $logs/build-$preset.log")
        return
    }
    say "unit tests, $preset"
    rm -f "$report"
    ctest --preset "$preset" -j "$jobs" --output-junit "$report" || true
    local total bad left_out
    total=$(grep -c '<testcase ' "$report" || true)
    bad=$(grep -c 'status="fail"' "$report" || true)
    left_out=$(grep -cE 'status="(notrun|disabled)"' "$report" || true)
    [ "$total" -gt 0 ] || bad=1 total=1
    count $((total - bad - left_out)) "$bad" "$left_out"
    [ "$bad" = 0 ] || failures+=("$preset: $bad unit tests; again with: ctest --preset $preset --rerun-failed")
}

# A command that prints TAP: what it is called, how to run it again, the command. Its lines are shown as they come, and kept.
tap_tests() {
    local name=$1 again=$2 tap
    tap=$logs/$(tr -c '[:alnum:].\n' - <<<"$name").tap
    shift 2
    say "$name"
    "$@" | tee "$tap" || true
    local good bad left_out
    left_out=$(grep -cE '^ok .* # skip' "$tap" || true)
    good=$(($(grep -c '^ok ' "$tap" || true) - left_out))
    bad=$(grep -c '^not ok ' "$tap" || true)
    [ $((good + bad + left_out)) -gt 0 ] || bad=1
    count "$good" "$bad" "$left_out"
    [ "$bad" = 0 ] || { failures+=("$name: $bad tests; again with: $again") && failed_taps+=("$tap"); }
}

# What the failed tests of a TAP file said: of each its first line, where it failed, and its last lines.
failed_tests() {
    awk -v most=16 '
        function flush(    line, first) {
            if (!bad) return
            print head
            first = count > most ? count - most + 1 : 1
            if (first > 1) print "# [...]"
            for (line = first; line <= count; line++) print said[line]
            bad = count = 0
        }
        /^(not )?ok / { flush() }
        /^not ok / { bad = 1; head = $0; next }
        bad && /^# [( ]?(from function|in test file|  `)/ { head = head "\n" $0; next }
        bad && /^#/ { said[++count] = $0 }
        END { flush() }' "$1"
}

bats_file() {
    tap_tests "$1" "./dev test $1" bats --formatter tap --timing "$1"
}

stage_lint() {
    step "lint" ./dev lint
}

stage_unit() {
    ctest_stage dev
}

stage_asan() {
    ctest_stage asan
}

stage_fuzz() {
    step "fuzz" ./dev fuzz "${HRUNC_FUZZ_SECONDS:-60}"
}

# Both at once: the guests leave a processor idle half of the time.
stage_fuzz_and_rig() {
    local log=$logs/fuzz-stage.log fuzz
    deps_build; deps_fuzz; deps_tests # so that apt-get runs once at a time
    tests/rig/rig deps
    JOBS=1 nice ./dev fuzz "${HRUNC_FUZZ_SECONDS:-60}" >"$log" 2>&1 </dev/null &
    fuzz=$!
    stage_rig
    say "fuzzing: waiting for its end"
    if wait "$fuzz"; then count 1 0 0; else count 0 1 0 && failures+=("fuzz; see $log"); fi
    grep '^fuzz ' "$log" || tail "$log"
}

stage_rig() {
    deps_tests
    tests/rig/rig deps
    step "release build" ./dev release
    step "demo" ./dev demo
    local file
    for file in tests/e2e/*.bats; do bats_file "$file"; done
    tap_tests "integration in both guests" tests/integration/in-guest tests/integration/in-guest
    tests/rig/rig down >/dev/null 2>&1 || true
}

stage_toolchain() {
    deps_tests
    step "toolchain build" ./dev toolchain
    local file
    for file in tests/toolchain/*.bats; do bats_file "$file"; done
    need csmith
    step "random programs" tests/toolchain/csmith "${HRUNC_RANDOM_PROGRAMS:-8}"
    programs_of_others bzip2 zlib lua
}

programs_of_others() {
    tap_tests "programs of others: $*" "tests/toolchain/programs/run $*" tests/toolchain/programs/run "$@"
}

# The long ones, not among the stages that run without being named.
stage_programs() {
    need tcl tcl-dev
    step "toolchain build" ./dev toolchain
    programs_of_others bzip2 zlib lua sqlite redis
}

run_stages() {
    local stages=("$@") stage
    [ ${#stages[@]} -gt 0 ] || stages=(lint unit asan toolchain fuzz_and_rig)
    mkdir -p "$logs"
    local began=$SECONDS
    for stage in "${stages[@]}"; do
        case $stage in
            *.bats)
                deps_tests
                tests/rig/rig deps
                bats_file "$stage" ;;
            *)
                declare -F "stage_$stage" >/dev/null || die "no stage \"$stage\"; stages: lint unit asan fuzz toolchain programs rig fuzz_and_rig, or a .bats file"
                "stage_$stage" ;;
        esac
        say "$stage done after $((SECONDS - began)) s: $passed passed, $failed failed, $skipped skipped"
    done
    local failure tap
    for tap in "${failed_taps[@]}"; do
        say "what failed, of ${tap##*/}"
        failed_tests "$tap"
    done
    for failure in "${failures[@]}"; do printf 'failed: %s\n' "$failure"; done
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ]
}
