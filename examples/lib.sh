# shellcheck shell=sh disable=SC2034
# What the examples' builds share; sourced with OUT as $1 by examples/NAME/build. The tools are those of PATH, or of ./dev toolchain.

examples=$(cd "$(dirname "$0")/.." && pwd)
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2 && exit 2; }
if tool=$(command -v popcorn-cc); then bin=$(dirname "$tool"); else bin=$examples/../build/toolchain/root/bin; fi
[ -x "$bin/popcorn-cc" ] || { echo "$0: there is no popcorn-cc: ./dev toolchain builds it" >&2 && exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
jobs=$(nproc)
export HRUNC_CACHE="${HRUNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hrunc}"

# unpack DIRECTORY PACKAGE FILE SHA256: a file of a Debian source package, which lies beside the binary package PACKAGE, into a new
# directory.
unpack() {
  archive=$("$examples/../popcorn/libc/fetch-source" "$2" "$3" "$4")
  rm -rf "$1"
  mkdir -p "$1"
  tar xf "$archive" -C "$1" --strip-components=1
}

# images NAME ROOT: for each ISA a root file system, OUT/NAME-ISA.tar. ROOT is the tree of both: beside each APP_x86-64 and
# APP_aarch64 comes APP, which is the one for the ISA.
images() {
  for isa in x86-64 aarch64; do
    for file in $(cd "$2" && find . -name "*_$isa"); do ln -f "$2/$file" "$2/${file%_"$isa"}"; done
    tar -C "$2" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$out/$1-$isa.tar" .
  done
}

# programs FROM TO NAME...: the pairs of executables, without symbols, from one directory into another.
programs() {
  from=$1 to=$2
  shift 2
  mkdir -p "$to"
  for name; do
    for isa in x86-64 aarch64; do llvm-strip-19 -o "$to/${name}_$isa" "$from/${name}_$isa"; done
  done
}
