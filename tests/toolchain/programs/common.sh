# shellcheck shell=bash disable=SC2034
# For the programs' files. Each says of its program `executables`, which its suite runs; `interval`, at one of how many
# migration points they capture; `build`; and `suite`, which fails, or prints the number of tests that passed as its last
# line. Both run in a directory of their own, and speak on stderr.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
bin=${TOOLS:-$root/build/toolchain/root/bin}
tools=("CC=$bin/popcorn-cc" "AR=$bin/popcorn-ar" "RANLIB=$bin/popcorn-ranlib")
jobs=${JOBS:-2}
export HRUNC_CACHE=${HRUNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hrunc}

# unpack DIRECTORY PACKAGE FILE SHA256: a source package's file, into a new directory.
unpack() {
    local file
    file=$("$root/popcorn/libc/fetch-source" "${@:2}")
    mkdir "$1"
    tar xf "$file" -C "$1" --strip-components=1
}
