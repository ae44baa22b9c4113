// The command line of popcorn-ld: the subset of ld's that compiler drivers pass.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::link {

struct Input {
    enum class Kind { kFile, kLibrary } kind;
    std::string name;   // a path, or NAME of -lNAME
    bool whole = false; // of an archive every member
};

struct Options {
    std::string output = "a.out";
    std::vector<Input> inputs;
    std::vector<std::string> search;    // -L, in order
    std::vector<std::string> undefined; // -u: symbols that are to be linked in
    std::string native;                 // --native DIR: DIR/x86-64/*.o, DIR/aarch64/*.o, the native runtime
    std::string keep;                   // --save-temps DIR: bitcode after each step, objects, scripts
    std::string map;                    // -Map FILE: x86-64's; aarch64's has the same addresses
    unsigned level = 2;                 // --lto-O; ld's own -O is another thing
    bool capture = true;                // --no-capture: a program that cannot be captured, for comparisons
    bool version = false;               // --version, -v: nothing is linked
    bool strip_all = false;             // -s
    bool strip_debug = false;           // -S
    bool build_id = true;               // --build-id=none
};

// Fails with kInvalid on an unknown option, with kRefused on one that asks for what cannot be (shared objects).
Result<Options> parse_options(const std::vector<std::string> &arguments);

} // namespace hrunc::link
