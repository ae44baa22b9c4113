// The two ISAs as the link step sees them.
#pragma once

#include <array>
#include <cstdint>

namespace hrunc::link {

struct Isa {
    const char *name; // as in app_NAME
    const char *triple;
    const char *cpu;
    const char *emulation; // for -m
    uint16_t machine;      // e_machine
};

inline constexpr std::array kIsas = {
    Isa{"x86-64", "x86_64-unknown-linux-musl", "x86-64", "elf_x86_64", 62},
    Isa{"aarch64", "aarch64-unknown-linux-musl", "generic", "aarch64linux", 183},
};

} // namespace hrunc::link
