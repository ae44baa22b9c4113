# shellcheck shell=bash disable=SC2034,SC2094,SC2154
executables=(source/example source/minigzip source/example64 source/minigzip64) interval=10

build() {
    unpack source zlib1g zlib_1.2.13.dfsg.orig.tar.bz2 71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1
    (cd source && env "${tools[@]}" ./configure --static)
    make -C source -j "$jobs" static all64
}

# Its own tests (but infcover, which reads before a string's beginning); then minigzip packs each source, and
# unpacks what gzip has packed.
suite() {
    local file count=2
    make -C source teststatic test64 >&2
    for file in source/*.[ch]; do
        source/minigzip <"$file" | gzip -dc | cmp - "$file"
        gzip -c "$file" | source/minigzip -d | cmp - "$file"
        count=$((count + 2))
    done
    echo "$count"
}
