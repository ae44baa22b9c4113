# shellcheck shell=bash disable=SC2034,SC2154
executables=(source/src/redis-server source/src/redis-cli source/src/redis-benchmark) interval=100

build() {
    unpack source redis-server redis_7.0.15.orig.tar.gz 4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982
    make -C source -j "$jobs" "${tools[@]}" MALLOC=libc
}

suite() {
    (cd source && TERM=dumb ./runtest --clients "$jobs") | tee runtest.log >&2
    grep -c '\[ok\]' runtest.log
}
