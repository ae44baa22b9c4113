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

# Builds torture/NAME.c at every level; both executables must print what gcc's does.
torture() {
    local source=$BATS_TEST_DIRNAME/torture/$1.c level isa
    gcc -std=gnu11 -O1 -ffp-contract=off -frounding-math -w "$source" -o "$BATS_TEST_TMPDIR/expected" -lm -pthread
    "$BATS_TEST_TMPDIR/expected" >"$BATS_TEST_TMPDIR/expected.txt"
    for level in 0 1 2 3; do
        "$bin/popcorn-cc" -std=gnu11 "-O$level" -w "$source" -o "$BATS_TEST_TMPDIR/app" -lm -pthread
        for isa in x86-64 aarch64; do
            run_isa "$isa" "$BATS_TEST_TMPDIR/app" >"$BATS_TEST_TMPDIR/$isa.txt" || {
                echo "$1 -O$level on $isa: status $?"
                return 1
            }
            diff "$BATS_TEST_TMPDIR/expected.txt" "$BATS_TEST_TMPDIR/$isa.txt" || {
                echo "$1 -O$level on $isa: prints something else"
                return 1
            }
        done
    done
}
