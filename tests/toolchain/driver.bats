#!/usr/bin/env bats
# shellcheck shell=bats disable=SC2154,SC2016
# popcorn-cc as build systems call it, and what it refuses.

load lib

llvm=/usr/lib/llvm-19/bin

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

@test "the same sources give the same bytes in another directory" {
    local place
    for place in one two/deep; do
        mkdir -p "$place"
        cp main.c other.c "$place"
        (cd "$place" && "$bin/popcorn-cc" -O2 -g "-ffile-prefix-map=$PWD=." main.c other.c -o app)
    done
    cmp one/app_x86-64 two/deep/app_x86-64
    cmp one/app_aarch64 two/deep/app_aarch64
}

@test "a failed link says why and leaves no executable, an old one neither" {
    touch app app_x86-64 app_aarch64
    run "$bin/popcorn-cc" main.c -o app
    [ "$status" = 1 ]
    [[ $output == *"main.c.o: undefined reference to \`other'" ]]
    [ -z "$(compgen -G 'app*')" ]
}

@test "a link whose program is killed says so and leaves no executable" {
    "$bin/popcorn-cc" -c main.c other.c
    touch app app_x86-64 app_aarch64
    run bash -c "ulimit -f 0; '$bin/popcorn-cc' main.o other.o -o app"
    [ "$status" = 1 ]
    [ "$output" = "popcorn-cc: error: $(realpath "$bin")/popcorn-ld: ended by signal 25 (File size limit exceeded)" ]
    [ -z "$(compgen -G 'app*')" ]
}

@test "an interrupted popcorn-cc takes its files with it" {
    mkdir temporary
    mkfifo waits.c
    touch app
    TMPDIR=$PWD/temporary "$bin/popcorn-cc" waits.c -o app &
    local child=$!
    until compgen -G "temporary/*" >/dev/null; do sleep 0.05; done
    kill -TERM "$child"
    local status=0
    wait "$child" || status=$?
    [ "$status" = 143 ]
    [ -z "$(ls temporary)" ]
    [ ! -e app ]
}

@test "a link to /dev/null tries it, and writes nothing" {
    "$bin/popcorn-cc" main.c other.c -o /dev/null
    [ -c /dev/null ]
    [ ! -e /dev/null_x86-64 ]
    run "$bin/popcorn-cc" main.c -o /dev/null
    [ "$status" = 1 ]
}

@test "several sources, standard input, languages, headers, dependencies" {
    "$bin/popcorn-cc" -DNUMBER=7 -UOTHER -include stddef.h -isystem . -MMD -MP main.c other.c -o app
    [ "$(./app)" = 42 ]
    [ "$(<app-other.d)" = "app: other.c" ]
    echo 'int main(void) { return sizeof(long double) == 16 ? 3 : 4; }' | "$bin/popcorn-cc" -xc - -o read
    run ./read
    [ "$status" = 3 ]
    [[ $(echo __popcorn__ | "$bin/popcorn-cc" -E -P -) == 1 ]]
    [[ $("$bin/popcorn-cc" -M main.c) == "main.o: main.c"* ]]
    [[ $("$bin/popcorn-cc" -S -O2 other.c -o -) == *"ret i32 42"* ]]
    run "$bin/popcorn-cc" - </dev/null
    [ "$output" = "popcorn-cc: error: -: standard input needs -E or -x" ]
    cp main.c data.txt
    "$bin/popcorn-cc" -x c data.txt -x none other.c -o app
    [ "$(./app)" = 42 ]
    printf 'int other(void);\n' >other.h
    "$bin/popcorn-cc" other.h -o other.h.gch
    "$bin/popcorn-cc" -include other.h -fsyntax-only main.c
}

@test "archives: without an index, thin, whole" {
    printf '#include <stdio.h>\n__attribute__((constructor)) static void first(void) { puts("first"); }\n' >first.c
    "$bin/popcorn-cc" -c other.c first.c
    "$bin/popcorn-ar" rcS plain.a other.o first.o
    "$bin/popcorn-ar" rcT thin.a other.o first.o
    "$bin/popcorn-strip" -g thin.a plain.a
    "$bin/popcorn-cc" main.c plain.a -o app
    [ "$(./app)" = 42 ]
    "$bin/popcorn-cc" main.c -Wl,--whole-archive thin.a -Wl,--no-whole-archive -o app
    [ "$(./app)" = "$(printf 'first\n42')" ]
    [[ $("$bin/popcorn-nm" plain.a) == *"T other"* ]]
    "$bin/popcorn-strip" app_x86-64 app_aarch64
    [ "$(run_isa x86-64 ./app)" = "$(printf 'first\n42')" ]
    [ "$(run_isa aarch64 ./app)" = "$(printf 'first\n42')" ]
}

@test "atomic objects of more than 8 bytes need no library of their own" {
    cat >atomic.c <<'C'
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct big {
    long words[3];
};
static _Atomic struct big big;
static _Atomic __int128 wide;
static __int128 plain __attribute__((aligned(16)));

static void *work(void *nothing) {
    for (int i = 0; i < 1000; i++) {
        struct big old = atomic_load(&big), new;
        do {
            new = old;
            for (int k = 0; k < 3; k++) new.words[k] += k + 1;
        } while (!atomic_compare_exchange_weak(&big, &old, new));
        wide += (__int128)1 << 63;
        __atomic_fetch_xor(&plain, 1, __ATOMIC_SEQ_CST);
    }
    return nothing;
}

int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    struct big end = atomic_exchange(&big, (struct big){{0}});
    printf("%ld %ld %ld %lx %d %d\n", end.words[0], end.words[1], end.words[2], (long)(wide >> 63), (int)plain,
           atomic_is_lock_free(&big));
    return 0;
}
C
    "$bin/popcorn-cc" -O2 -Wno-atomic-alignment atomic.c -pthread -latomic -o app
    "$BATS_TEST_DIRNAME/exercise" app_x86-64 exercised
    local command
    for command in "run_isa x86-64 ./app" "run_isa aarch64 ./app" ./exercised; do
        [ "$($command)" = "4000 8000 12000 fa0 0 0" ]
    done
}

@test "options of position, hardening and the linker are taken; those for instructions with a warning" {
    "$bin/popcorn-cc" -Werror -fPIC -pie -fstack-protector-strong -fcf-protection -flto=auto -fuse-ld=gold -mtune=native \
        -m64 -pthread -rdynamic -static -pipe -fexceptions -lgcc -latomic -Wl,-O1,--as-needed,-z,relro,-z,now \
        -Wl,-rpath,/x -Wl,--build-id=none -Wl,-Map=app.map -s main.c other.c -lm -o app
    [ "$(./app)" = 42 ]
    grep -q '\.text' app.map
    run "$bin/popcorn-cc" -march=native -c main.c
    [ "$status" = 0 ]
    [ "$output" = "popcorn-cc: warning: option '-march=native' not supported: programs have the instructions that every machine of their ISA has [-Wunused-command-line-argument]" ]
    run "$bin/popcorn-cc" -mavx2 -Werror -c main.c
    [ "$status" = 1 ]
    [ "$output" = "popcorn-cc: error: option '-mavx2' not supported: programs have the instructions that every machine of their ISA has" ]
    [ -z "$("$bin/popcorn-cc" -mavx2 -Wno-unused-command-line-argument -c main.c 2>&1)" ]
}

@test "what popcorn-cc says of itself" {
    [ "$("$bin/popcorn-cc" -dumpmachine)" = "$(uname -m)-unknown-linux-musl" ]
    [[ $("$bin/popcorn-cc" --version) == "clang version $("$bin/popcorn-cc" -dumpversion) (popcorn-cc "*"Target: $(uname -m)"* ]]
    [ "$("$bin/popcorn-cc" -v 2>&1)" = "$("$bin/popcorn-cc" --version)" ]
    [ "$("$bin/popcorn-cc" -print-file-name=libc.a)" = "$(realpath "$bin/../lib/popcorn/libc.a")" ]
    [ "$("$bin/popcorn-cc" -print-prog-name=ld)" = "$(realpath "$bin/popcorn-ld")" ]
    [[ $("$bin/popcorn-cc" -Wl,--version) == "LLD "*"compatible with GNU linkers)" ]]
    [[ $("$bin/popcorn-cc" --help) == "Usage: popcorn-cc "* ]]
    run "$bin/popcorn-cc" -### main.c other.c -o app
    [[ $output == *'"-x" "c" "main.c"'*'/popcorn-ld" "--native"'* ]]
    [ ! -e app ]
}

@test "assembly, C++, shared objects and what else belongs to one ISA are refused with the reason" {
    touch a.S b.cc
    refuses() { # refuses MESSAGE ARGUMENT...
        run "$bin/popcorn-cc" "${@:2}"
        [ "$status" = 1 ]
        [ "$output" = "popcorn-cc: error: $1" ]
    }
    refuses "a.S: assembly belongs to one ISA; build the C variant of this source, or leave it out" -c a.S
    refuses "b.cc: only C is supported yet" -c b.cc
    refuses "-x c++: only C is supported yet" -x c++ -c main.c
    refuses "-shared: programs that move are static executables; build an archive (popcorn-ar) instead" -shared other.c
    refuses "-r: objects stay separate up to the program's link; build an archive (popcorn-ar) instead" -r other.c
    refuses "-m32: the ISAs are x86-64 and aarch64, of 64 bits and little endian" -m32 other.c
    refuses "-fsanitize=address: sanitizers work on one ISA; use them with the native compiler" -fsanitize=address main.c
    refuses "-fprofile-generate: profiles are of one ISA's code; make them with the native compiler" -fprofile-generate main.c
    refuses "-Tscript: the layout is that of both ISAs; leave it out" -Tscript main.c
    run "$bin/popcorn-cc" main.c other.c -Wl,-T,script
    [ "$output" = "popcorn-ld: -T: the layout is that of both ISAs; link without a script of your own" ]
    run "$bin/popcorn-cc" main.c other.c -Wl,--wrap=other
    [ "$output" = "popcorn-ld: unknown option --wrap=other" ]
    printf '#include <ucontext.h>\nint main(void) {\n    ucontext_t here;\n    return getcontext(&here);\n}\n' >context.c
    "$bin/popcorn-cc" -c context.c
    run "$bin/popcorn-cc" context.o
    [ "$status" = 1 ]
    [ "$output" = "popcorn-ld: context.o: undefined reference to \`getcontext': coroutines with stacks of their own cannot be moved; use threads in their place" ]
}

@test "inline assembly is refused where it stands, by the compiler and by the link" {
    printf 'int main(void) {\n    __asm__("" ::: "memory");\n    __asm__("nop");\n    return 0;\n}\n' >asm.c
    local message='main: inline assembly "nop": it belongs to one ISA; build the C variant of this source' level
    for level in 0 2; do
        run "$bin/popcorn-cc" -O$level -c asm.c
        [ "$status" = 1 ]
        [ "${lines[0]}" = "asm.c:3:13: error: $message" ]
    done
    printf '__asm__(".globl place");\n' >outside.c
    run "$bin/popcorn-cc" -c outside.c
    [ "${lines[0]}" = 'error: outside.c: outside of functions: assembly ".globl place": it belongs to one ISA; build the C variant of this source' ]
    "$llvm/clang" --target=riscv64-linux-gnu -flto=full -c asm.c
    run "$bin/popcorn-cc" asm.o
    [ "$output" = "popcorn-ld: asm.o: $message" ]
}

@test "native code is refused; dlopen is linked with a warning, and fails" {
    gcc -c other.c -o native.o
    gcc -shared -o libshared.so native.o
    run "$bin/popcorn-cc" main.c native.o
    [ "$output" = "popcorn-ld: native.o: holds no bitcode, but code of one ISA: build it from its C source with popcorn-cc, or leave it out" ]
    run "$bin/popcorn-cc" main.c -L. -lshared
    [ "$output" = "popcorn-ld: ./libshared.so: programs that move are static: build libshared.a with popcorn-cc" ]
    printf '#include <dlfcn.h>\nint main(void) { return dlopen("libm.so", RTLD_NOW) ? 1 : 0; }\n' >load.c
    "$bin/popcorn-cc" -c load.c
    run "$bin/popcorn-cc" load.o -ldl -o load
    [ "$status" = 0 ]
    [ "$output" = "popcorn-ld: warning: load.o: dlopen: fails when it is called, since there are no shared objects in a program that moves; link what it would load into the program" ]
    ./load
}

# Adds an object of a C source to a copy of the runtime of each ISA.
runtime_with() {
    local pair
    cat >added.c
    for pair in x86-64:x86_64 aarch64:aarch64; do
        "$llvm/clang" "--target=${pair#*:}-linux-gnu" -O1 -fno-pic -ffreestanding -fdata-sections -c added.c \
            -o "native/${pair%:*}/added.o"
    done
}

@test "executables that cannot stand in for each other are not written" {
    printf 'int main(void) { return 0; }\n' >empty.c
    "$bin/popcorn-cc" -c empty.c
    cp -r "$bin/../lib/popcorn/native" .
    fails() { # fails MESSAGE
        run "$bin/popcorn-ld" --native native -o app empty.o -L "$bin/../lib/popcorn" -lc
        [ "$status" = 1 ]
        # shellcheck disable=SC2053 # a pattern
        [[ $output == "popcorn-ld: "$1 ]]
        [ -z "$(compgen -G 'app*')" ]
    }
    runtime_with <<<'int number = sizeof(__builtin_va_list);'
    fails "the executables differ: .data at offset 0x*"
    runtime_with <<<'int numbers[sizeof(__builtin_va_list)] = {1};'
    fails ".data.numbers: 96 bytes on x86-64, 128 on aarch64"
    runtime_with <<<'int first(int x) { return x / 7 + x % 9 + x / 11; } int second(int x) { return x; }'
    fails "the executables differ: second: 0x* (* bytes) and 0x* (* bytes)"
    runtime_with <<<'__attribute__((section("own"))) long numbers[400 * sizeof(__builtin_va_list)] = {1};'
    fails "the executables differ: program header *: 0x*+0x* and 0x*+0x*"
    rm native/*/added.o
    "$bin/popcorn-ld" --native native -o app empty.o -L "$bin/../lib/popcorn" -lc
    ./app
}

@test "types with two layouts, broken modules and helpers that pass structures fail the link" {
    printf 'struct node { int __attribute__((address_space(270))) *next; int number; } nodes[2];\n' >types.c
    printf 'int main(int count, char **words) { return nodes[count].number; }\n' >>types.c
    run "$bin/popcorn-cc" -O0 types.c
    [ "$status" = 1 ]
    [[ $output == "popcorn-ld: struct.node"*": its layout differs between the ISAs" ]]
    printf 'int main(int count, char **words) { if (count > 5) __builtin_trap(); return 0; }\n' >helper.c
    run "$bin/popcorn-cc" -ftrap-function=__mulhc3 helper.c
    [ "$output" = "popcorn-ld: __mulhc3: has no bitcode; libgcc's has another convention" ]
    printf 'define i32 @main() {\n  %%a = add i32 %%b, 1\n  %%b = add i32 %%a, 1\n  ret i32 %%a\n}\n' |
        "$llvm/llvm-as" --disable-verify -o broken.o
    run "$bin/popcorn-cc" broken.o
    [ "$status" = 1 ]
    [ "${lines[0]}" = "popcorn-ld: after linking: Instruction does not dominate all uses!" ]
}

@test "clocks are read by system calls only where the process has been told of no vdso, as under valgrind" {
    # The vdso reads this clock on every kernel.
    printf '#include <time.h>\nint main(void) { struct timespec t; return clock_gettime(CLOCK_REALTIME_COARSE, &t); }\n' >clock.c
    "$bin/popcorn-cc" -D_GNU_SOURCE clock.c -o app
    cat >auxv <<'GDB'
starti
set $word = (long *) $sp + *(long *) $sp + 2
while *$word != 0
  set $word = $word + 1
end
set $word = $word + 1
while *$word != 33
  set $word = $word + 2
end
GDB
    { cat auxv && printf 'catch syscall clock_gettime\ncontinue\n'; } >told
    { cat auxv && printf 'set *$word = 1\ncatch syscall clock_gettime\ncontinue\nkill\n'; } >hidden
    run timeout 60 gdb-multiarch -nx -batch -x told ./app </dev/null
    [[ $output == *"exited normally"* && $output != *"call to syscall"* ]]
    run timeout 60 gdb-multiarch -nx -batch -x hidden ./app </dev/null
    [[ $output == *"call to syscall clock_gettime"* ]]
}

# debug PROGRAM GDB-ARGUMENT...: stops at the marked line of debug.c, says where it is and what its variables hold.
debug() {
    local line
    line=$(grep -n 'stop here' debug.c)
    timeout 120 gdb-multiarch -nx -batch "${@:2}" -ex "break debug.c:${line%%:*}" -ex continue -ex backtrace \
        -ex 'print pair->first' -ex 'info locals' -ex up -ex 'print pair' -ex kill "$1" </dev/null 2>&1
}

@test "gdb: lines, frames and variables on both ISAs, before and after a resume" {
    cat >debug.c <<'C'
#include <unistd.h>

struct pair {
    int first;
    double second;
};

static int inner(int depth, struct pair *pair) {
    int local = depth * 3;
    pair->first += local;
    usleep(1);
    return local + 1; /* stop here */
}

int main(void) {
    struct pair pair = {2, 0.5};
    return inner(1, &pair);
}
C
    "$bin/popcorn-cc" -g -O0 debug.c -o app
    local isa program port=$((20000 + BASHPID % 20000))
    for isa in x86-64 aarch64; do
        "$BATS_TEST_DIRNAME/exercise" "app_$isa" "resumed_$isa"
        for program in app resumed; do
            if [ "$isa" = "$(uname -m | tr _ -)" ]; then
                run debug "${program}_$isa" -ex starti
            else
                qemu-aarch64-static -g "$port" "./${program}_$isa" &
                run debug "${program}_$isa" -ex "set tcp connect-timeout 60" -ex "target remote localhost:$port"
                wait $! || true
            fi
            echo "$program $isa: $output"
            [[ $output == *"#0  inner (depth=1, pair=0x"*") at "*"debug.c:12"*"#1  0x"*" in main () at "*"debug.c:17"* ]]
            [[ $output == *'$1 = 5'*"local = 3"*'$2 = {first = 5, second = 0.5}'* ]]
            [ "$program" = app ] || [[ $output == *"__libc_start_main.resume"* ]]
        done
    done
}

@test "an installed toolchain works after it has been moved, serves make through pkg-config, and can be uninstalled" {
    mkdir build
    cmake --install "$root/build/toolchain" --component toolchain --prefix "$PWD/first" >install.log
    mv "$root/build/toolchain/install_manifest_toolchain.txt" build
    mv first second
    export PKG_CONFIG_PATH=$PWD/second/lib/pkgconfig
    cat >Makefile <<'MAKE'
CC = $(shell pkg-config --variable=cc popcorn)
AR = $(shell pkg-config --variable=ar popcorn)
app: main.o libother.a
libother.a: libother.a(other.o)
.INTERMEDIATE: other.o
main.o app: CFLAGS = -O2 -g
app:
	$(CC) $(CFLAGS) -o $@ main.o -L. -lother
MAKE
    make -s
    [ "$(./app)" = 42 ]
    [ "$(run_isa aarch64 ./app)" = 42 ]
    mv second first
    grep -q '^\.TH POPCORN-CC 1' first/share/man/man1/popcorn-cc.1
    bash -c '. first/share/bash-completion/completions/popcorn-cc
        COMP_WORDS=(popcorn-cc -print-f) COMP_CWORD=1; _popcorn_cc 2>/dev/null; [ "${COMPREPLY[*]}" = -print-file-name= ]'
    cmake "-DBUILD=$PWD/build" -P "$root/cmake/Uninstall.cmake" >uninstall.log
    [ -z "$(find first -not -type d)" ]
    [ ! -e first/lib/popcorn ]
}

@test "a CMake project: feature tests that compile and that run, libraries, precompiled headers" {
    cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(small C)
include(CheckCSourceRuns)
include(CheckCSourceCompiles)
include(CheckCCompilerFlag)
include(CheckFunctionExists)
include(CheckTypeSize)
check_c_source_runs("int main(void) { return 0; }" RUNS)
check_c_source_runs("int main(void) { return 1; }" FAILS)
check_c_source_compiles("int main(void) { __asm__(\"nop\"); return 0; }" ASSEMBLY)
check_c_compiler_flag(-mavx2 AVX2)
check_function_exists(epoll_create1 EPOLL)
check_function_exists(no_such_function NONE)
check_type_size("long double" LONG_DOUBLE)
find_package(Threads REQUIRED)
find_library(ZLIB z)
message("found: ${RUNS}/${FAILS}/${ASSEMBLY}/${AVX2}/${EPOLL}/${NONE}/${LONG_DOUBLE}/${ZLIB}/${CMAKE_CROSSCOMPILING}")
add_library(other other.c)
add_executable(app main.c)
target_precompile_headers(app PRIVATE <stdio.h>)
target_link_libraries(app other Threads::Threads m)
CMAKE
    run cmake -S . -B out "-DCMAKE_TOOLCHAIN_FILE=$bin/../lib/popcorn/popcorn.cmake" -DCMAKE_BUILD_TYPE=Release
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"found: 1////1//16/ZLIB-NOTFOUND/FALSE"* ]]
    cmake --build out -j 2
    [ "$(out/app)" = 42 ]
    [ "$(run_isa aarch64 out/app)" = 42 ]
}

@test "an autoconf project: feature tests that compile and that run" {
    cat >configure.ac <<'AC'
AC_INIT([small], [1])
AC_PROG_CC
AC_CHECK_TOOL([RANLIB], [ranlib])
AC_CONFIG_HEADERS([config.h])
AC_CHECK_HEADERS([sys/epoll.h immintrin.h])
AC_CHECK_FUNCS([epoll_create1 no_such_function])
AC_SEARCH_LIBS([dlsym], [dl])
AC_CHECK_SIZEOF([long double])
AC_C_BIGENDIAN
AC_RUN_IFELSE([AC_LANG_PROGRAM([[]], [[return 0;]])], [AC_DEFINE([RUNS], [1], [yes])])
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[]], [[__asm__("nop");]])], [AC_DEFINE([ASSEMBLY], [1], [no])])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
AC
    printf 'app: main.o other.o\n\t@CC@ @CFLAGS@ -o $@ main.o other.o @LIBS@\nCC = @CC@\nCFLAGS = @CFLAGS@\n' >Makefile.in
    printf '#undef HAVE_SYS_EPOLL_H\n#undef HAVE_IMMINTRIN_H\n#undef HAVE_EPOLL_CREATE1\n' >config.h.in
    printf '#undef HAVE_NO_SUCH_FUNCTION\n#undef SIZEOF_LONG_DOUBLE\n#undef RUNS\n#undef ASSEMBLY\n' >>config.h.in
    autoconf
    ./configure CC="$bin/popcorn-cc" AR="$bin/popcorn-ar" RANLIB="$bin/popcorn-ranlib" >configure.log
    grep -q 'cross compiling... no' configure.log
    [ "$(grep -c '^#define' config.h)" = 4 ]
    grep -q '#define HAVE_SYS_EPOLL_H 1' config.h
    grep -q '#define HAVE_EPOLL_CREATE1 1' config.h
    grep -q '#define SIZEOF_LONG_DOUBLE 16' config.h
    grep -q '#define RUNS 1' config.h
    make -s
    [ "$(./app)" = 42 ]
}
