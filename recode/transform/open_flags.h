// open(2) flags by number. Most are the same on both ISAs; four are not. Source: <asm-generic/fcntl.h> (x86-64) and
// arch/arm64/include/uapi/asm/fcntl.h of Linux.
#pragma once

#include <fcntl.h>

#include <cstdint>

#include "arch/isa.h"

namespace hrunc::recode {

struct OpenFlag {
    std::uint32_t value[2]; // indexed by Isa
};

inline constexpr OpenFlag kOpenFlags[] = {
    {{0040000, 0200000}}, // O_DIRECT
    {{0100000, 0400000}}, // O_LARGEFILE
    {{0200000, 0040000}}, // O_DIRECTORY
    {{0400000, 0100000}}, // O_NOFOLLOW
};

static_assert(kOpenFlags[0].value[static_cast<int>(arch::host())] == __O_DIRECT);
static_assert(kOpenFlags[1].value[static_cast<int>(arch::host())] == __O_LARGEFILE || __O_LARGEFILE == 0);
static_assert(kOpenFlags[2].value[static_cast<int>(arch::host())] == __O_DIRECTORY);
static_assert(kOpenFlags[3].value[static_cast<int>(arch::host())] == __O_NOFOLLOW);

// The flags that mean on `to` what `flags` mean on `from`.
constexpr std::uint32_t recode_open_flags(std::uint32_t flags, arch::Isa from, arch::Isa to) {
    std::uint32_t kept = flags, added = 0;
    for (const OpenFlag &flag : kOpenFlags) {
        std::uint32_t old_value = flag.value[static_cast<int>(from)];
        kept &= ~old_value;
        if ((flags & old_value) != 0) added |= flag.value[static_cast<int>(to)];
    }
    return kept | added;
}

static_assert(recode_open_flags(0100000 | O_RDWR | O_CLOEXEC, arch::Isa::kX8664, arch::Isa::kAarch64) ==
              (0400000 | O_RDWR | O_CLOEXEC));

} // namespace hrunc::recode
