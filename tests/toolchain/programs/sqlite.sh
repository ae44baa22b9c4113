# shellcheck shell=bash disable=SC2034,SC2154
executables=(shell/sqlite3 shell/fuzzcheck) interval=200

# The tests of the shell are in Tcl; what runs them is built by gcc.
build() {
    unpack source sqlite3 sqlite3_3.40.1.orig.tar.xz aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655
    mkdir shell fixture
    (
        cd shell || exit
        env "${tools[@]}" ../source/configure --disable-tcl --disable-readline --disable-shared
        make -j "$jobs" sqlite3 fuzzcheck
    )
    (
        cd fixture || exit
        CFLAGS=-O0 ../source/configure --disable-readline --disable-shared
        make testfixture
        ln -s ../shell/sqlite3 .
    )
}

passed() {
    grep -oP '0 errors out of \K[0-9]+' "$1"
}

suite() {
    local fuzz shell
    (cd shell && ./fuzzcheck ../source/test/fuzzdata*.db) >fuzz.log
    (cd fixture && ./testfixture ../source/test/permutations.test shell) >shell.log
    fuzz=$(passed fuzz.log)
    shell=$(passed shell.log)
    echo $((fuzz + shell))
}
