# shellcheck shell=bash disable=SC2034,SC2154
executables=(lua5.1/src/lua lua5.4/src/lua) interval=10

# Lua's own tests are not in its source package; those of Lua 5.1 are in gopher-lua's. Left out: big, which holds where size_t
# has 32 bits, and math and pm, which are adapted there. Lua 5.4 runs LuaUnit's tests of itself.
scripts=(main gc db calls strings literals attrib locals constructs code nextvar api events vararg closure errors sort
    verybig files)

build() {
    unpack lua5.1 lua5.1 lua5.1_5.1.5.orig.tar.gz 2640fc56a795f29d28ef15e13c34a47e223960b0240e8cb0a82d9b0738695333
    unpack lua5.4 lua5.4 lua5.4_5.4.4.orig.tar.gz 164c7849653b80ae67bec4b7473b884bf5cc8d2dca05653475ec2ed27b9ebf61
    unpack tests golang-github-yuin-gopher-lua-dev golang-github-yuin-gopher-lua_0.0~git20170915.0.eb1c729.orig.tar.xz \
        4930565f2f9596a0a47bc84b8c4c535655e8c3206b0d8dd8d2728803dab996e7
    unpack luaunit lua-unit lua-unit_3.4.orig.tar.gz b8aea5826f09749d149efa8ef1b13f81e6a9fc6abfbe4c1cbf87a558a6d4e8d0
    local version
    for version in 5.1 5.4; do
        make -C "lua$version/src" -j "$jobs" "CC=$bin/popcorn-cc" "AR=$bin/popcorn-ar rc" "RANLIB=$bin/popcorn-ranlib" posix
    done
}

# The C library takes a locale of any name, and has C's rules only.
init="package.path = '?;'..package.path; os.setlocale = function() end"

suite() {
    local script unit
    for script in "${scripts[@]}"; do
        echo "== $script" >&2
        (cd tests/_lua5.1-tests &&
            LUA_PATH='?;./?.lua' LUA_INIT="$init" ../../lua5.1/src/lua "$script.lua" </dev/null >&2)
    done
    unit=$(cd luaunit && ../lua5.4/src/lua run_unit_tests.lua | tee /dev/stderr |
        sed -n 's/.* \([0-9]*\) successes, 0 failures$/\1/p')
    echo $((${#scripts[@]} + unit))
}
