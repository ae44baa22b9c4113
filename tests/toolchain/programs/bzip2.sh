# shellcheck shell=bash disable=SC2034,SC2154
executables=(source/bzip2) interval=100

build() {
    unpack source bzip2 bzip2_1.0.8.orig.tar.gz ab5a03176ee106d3f0fa90e381da478ddae405918153cca248e682cd0c4a2269
    make -C source "${tools[@]}" bzip2
}

suite() {
    make -C source "${tools[@]}" test | tee /dev/stderr | grep -c '^cmp '
}
