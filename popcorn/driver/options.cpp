#include "popcorn/driver/options.h"

#include <algorithm>
#include <array>

namespace hrunc::driver {
namespace {

using std::string_view;

// A row that ends with '*' stands for all options that begin with it.
bool matches(string_view row, string_view option) {
    return row.ends_with('*') ? option.starts_with(row.substr(0, row.size() - 1)) : option == row;
}
bool is_in(const auto &rows, string_view option) {
    return std::any_of(rows.begin(), rows.end(), [&](string_view row) { return matches(row, option); });
}

constexpr std::array kDropped = {
    // The executables are static and have a fixed place.
    "-fPIC",
    "-fpic",
    "-fPIE",
    "-fpie",
    "-fno-PIC",
    "-fno-pic",
    "-fno-PIE",
    "-fno-pie",
    "-fno-plt",
    "-fno-semantic-interposition",
    "-pie",
    "-no-pie",
    "-static",
    "-static-pie",
    "-static-libgcc",
    "-shared-libgcc",
    "-rdynamic",
    "-ftls-model=*",
    // The C library and the start code are the toolchain's, and taken only where they are needed.
    "-nostdlib",
    "-nodefaultlibs",
    "-nostartfiles",
    "-nolibc",
    "-fuse-ld=*",
    "-specs=*",
    "-B*",
    // All is optimised at the link.
    "-flto",
    "-flto=*",
    "-flto-*",
    "-fno-lto",
    "-ffat-lto-objects",
    "-fno-fat-lto-objects",
    "-fuse-linker-plugin",
    "-fno-use-linker-plugin",
    "-fwhole-program",
    // Hardening by one ISA's means, and tuning.
    "-fcf-protection*",
    "-fstack-protector*",
    "-fno-stack-protector*",
    "-fstack-clash-protection",
    "-fno-stack-clash-protection",
    "-mbranch-protection=*",
    "-mharden-sls=*",
    "-mindirect-branch*",
    "-mfunction-return=*",
    "-mtune=*",
    "-mno-*",
    "-momit-leaf-frame-pointer",
    "-mstackrealign",
    "-mpreferred-stack-boundary=*",
    "-mincoming-stack-boundary=*",
    // What both ISAs have anyway.
    "-m64",
    "-mlittle-endian",
    "-march=x86-64",
    "-march=armv8-a",
    "-mabi=lp64",
    "-mcmodel=*",
    // No exception passes through C.
    "-fexceptions",
    "-fnon-call-exceptions",
    "-pipe",
    "-gsplit-dwarf*",
    "-Wa,*",
    "-Xassembler",
};

constexpr std::array kQueries = {
    "--version", "--help", "-dumpversion", "-dumpfullversion", "-dumpmachine", "-print-*", "--print-*",
};

struct Refusal {
    string_view option, advice;
};
constexpr string_view kWidths = "the ISAs are x86-64 and aarch64, of 64 bits and little endian";
constexpr string_view kProfiles = "profiles are of one ISA's code; make them with the native compiler";
constexpr string_view kTargets = "every program is built for x86-64 and aarch64; leave it out";
constexpr string_view kLayout = "the layout is that of both ISAs; leave it out";
constexpr std::array kRefusals = {
    Refusal{"-shared", "programs that move are static executables; build an archive (popcorn-ar) instead"},
    Refusal{"-r", "objects stay separate up to the program's link; build an archive (popcorn-ar) instead"},
    Refusal{"-m32", kWidths},
    Refusal{"-mx32", kWidths},
    Refusal{"-m16", kWidths},
    Refusal{"-mbig-endian", kWidths},
    Refusal{"-mlong-double-*", "long double has 128 bits on both ISAs"},
    Refusal{"-target", kTargets},
    Refusal{"--target*", kTargets},
    Refusal{"-arch", kTargets},
    Refusal{"-T*", kLayout},
    Refusal{"-e", kLayout},
    Refusal{"-fopenmp", "there is no OpenMP runtime for both ISAs; configure the program without it"},
    Refusal{"-fopenmp=*", "there is no OpenMP runtime for both ISAs; configure the program without it"},
    Refusal{"-fopenacc", "there is no OpenACC runtime for both ISAs; configure the program without it"},
    Refusal{"-fsanitize=*", "sanitizers work on one ISA; use them with the native compiler"},
    Refusal{"-fsplit-stack", "stacks have a fixed place here"},
    Refusal{"--coverage", "use the native compiler for coverage"},
    Refusal{"-coverage", "use the native compiler for coverage"},
    Refusal{"-ftest-coverage", "use the native compiler for coverage"},
    Refusal{"-fprofile-*", kProfiles},
    Refusal{"-finstrument-functions-after-inlining", kProfiles},
    Refusal{"-pg", kProfiles},
    Refusal{"-p", kProfiles},
};

constexpr std::array kWithValue = {
    "-I",
    "-D",
    "-U",
    "-A",
    "-include",
    "-imacros",
    "-isystem",
    "-isystem-after",
    "-iquote",
    "-idirafter",
    "-isysroot",
    "-iprefix",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-iwithsysroot",
    "-MF",
    "-MT",
    "-MQ",
    "-MJ",
    "--sysroot",
    "-Xclang",
    "-Xpreprocessor",
    "-Xassembler",
    "-mllvm",
    "--param",
    "-aux-info",
    "-dumpbase",
    "-dumpbase-ext",
    "-dumpdir",
    "-working-directory",
    "-B",
};

} // namespace

Fate fate_of(string_view option) {
    if (is_in(kQueries, option)) return Fate::kQuery;
    if (is_in(kDropped, option)) return Fate::kDrop;
    if (option.starts_with("-m") && option != "-mllvm") return Fate::kUnused;
    return Fate::kFront;
}

std::optional<string_view> refusal_of(string_view option) {
    for (const Refusal &row : kRefusals)
        if (matches(row.option, option)) return row.advice;
    return std::nullopt;
}

bool takes_value(string_view option) {
    return std::find(kWithValue.begin(), kWithValue.end(), option) != kWithValue.end();
}

} // namespace hrunc::driver
