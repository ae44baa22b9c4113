#!/usr/bin/env bats
# popcorn-cc as build systems call it, and what it refuses.

load lib

setup() {
    cd "$BATS_TEST_TMPDIR"
    printf '#include <stdio.h>\nint other(void);\nint main(void) { printf("%%d\\n", other()); return 0; }\n' >main.c
    printf 'int other(void) { return 42; }\n' >other.c
}

@test "objects, archives and response files; the same inputs give the same bytes" {
    "$bin/popcorn-cc" -O2 -g -MMD -MF deps -c main.c -o main.o
    "$bin/popcorn-cc" -O2 -g -fPIC -c other.c
    "$bin/popcorn-ar" rcs libother.a other.o
    grep -q main.c deps
    echo "-o app main.o -L. -lother" >words
    "$bin/popcorn-cc" @words
    [ "$(./app)" = 42 ]
    [ "$(run_isa aarch64 ./app)" = 42 ]
    "$bin/popcorn-cc" -o again main.o libother.a
    cmp app_x86-64 again_x86-64
    cmp app_aarch64 again_aarch64
}

@test "a missing function fails the link and leaves no file" {
    run "$bin/popcorn-cc" main.c -o app
    [ "$status" = 1 ]
    [[ $output == *"undefined reference to \`other'"* ]]
    [ ! -e app ]
}

@test "assembly, C++ and shared objects are refused with the reason" {
    touch a.S b.cc
    run "$bin/popcorn-cc" -c a.S
    [ "$status" = 1 ]
    [ "$output" = "popcorn-cc: error: a.S: assembly belongs to one ISA; build the C variant of this source, or leave it out" ]
    run "$bin/popcorn-cc" -c b.cc
    [ "$output" = "popcorn-cc: error: b.cc: only C is supported yet" ]
    run "$bin/popcorn-cc" -shared other.c -o libother.so
    [ "$output" = "popcorn-cc: error: -shared: programs that move are static executables; build an archive (popcorn-ar) instead" ]
    printf 'int main(void) { __asm__("nop"); return 0; }\n' >asm.c
    run "$bin/popcorn-cc" asm.c
    [ "$output" = "popcorn-ld: main: inline assembly \"nop\": it belongs to one ISA; build the C variant of this source" ]
    gcc -c other.c -o native.o
    run "$bin/popcorn-cc" main.c native.o
    [[ $output == *"native.o: holds no bitcode, but code of one ISA"* ]]
}
