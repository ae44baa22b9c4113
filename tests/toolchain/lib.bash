# shellcheck shell=bash
# For the toolchain's tests: where it is, and how to run what it made.

root=$BATS_TEST_DIRNAME/../..
bin=$root/build/toolchain/root/bin
export root bin

# Runs PROGRAM's executable for an ISA, natively or emulated.
run_isa() {
    local isa=$1 program=$2
    shift 2
    if [ "$isa" = aarch64 ] && [ "$(uname -m)" != aarch64 ]; then
        qemu-aarch64-static "${program}_aarch64" "$@"
    else
        "${program}_$isa" "$@"
    fi
}

# same_output ISA PROGRAM WHAT: it must print what gcc's does.
same_output() {
    run_isa "$1" "$2" >"$BATS_TEST_TMPDIR/$1.txt" || {
        echo "$3 on $1: status $?; the last that it printed:"
        tail -n 5 "$BATS_TEST_TMPDIR/$1.txt"
        return 1
    }
    diff "$BATS_TEST_TMPDIR/expected.txt" "$BATS_TEST_TMPDIR/$1.txt" || {
        echo "$3 on $1: prints something else"
        return 1
    }
}

# Builds torture/NAME.c at every level; both executables must print what gcc's does, unmoved, and with a capture and
# resume at every migration point. With `always`, none of these captures may have been put off.
torture() {
    local source=$BATS_TEST_DIRNAME/torture/$1.c app=$BATS_TEST_TMPDIR/app exercised=$BATS_TEST_TMPDIR/exercised level isa
    gcc -std=gnu11 -O1 -ffp-contract=off -frounding-math -w "$source" -o "$BATS_TEST_TMPDIR/expected" -lm -pthread
    "$BATS_TEST_TMPDIR/expected" >"$BATS_TEST_TMPDIR/expected.txt"
    for level in 0 1 2 3; do
        "$bin/popcorn-cc" -DPOPCORN -std=gnu11 "-O$level" -w "$source" -o "$app" -lm -pthread
        for isa in x86-64 aarch64; do
            same_output "$isa" "$app" "$1 -O$level"
            "$BATS_TEST_DIRNAME/exercise" "${app}_$isa" "${exercised}_$isa"
            same_output "$isa" "$exercised" "$1 -O$level with captures"
        done
        [ "${2-}" != always ] || [ "$("$BATS_TEST_DIRNAME/deferrals" "${exercised}_x86-64")" = 0 ]
    done
}
