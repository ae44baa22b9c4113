// The auxiliary vector that CRIU restores for /proc/PID/auxv, made to tell of the target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "recode/host.h"

namespace hrunc::recode {

// Words that every CRIU from 3.17 to 4.2 takes (criu/arch/*/include/asm/types.h, AT_VECTOR_SIZE: 44 on x86-64; 40 on
// aarch64, 50 from CRIU 4.0 on). A vector that CRIU read on a host with more entries is cut there, AT_NULL included.
inline constexpr std::size_t kMaxAuxvWords = 40;

// `moved`: the start-up stack went from [moved_from, moved_from + moved_size) to moved_to, and pointers into it follow.
struct AuxvChange {
    std::uint64_t vdso = 0; // address of the target's
    std::uint64_t moved_from = 0, moved_size = 0, moved_to = 0;
};

// AT_SYSINFO_EHDR, AT_HWCAP*, AT_MINSIGSTKSZ become the target's; entries that name the source's machine in memory
// (AT_PLATFORM) or its kernel's abilities (rseq) go; the vector ends with AT_NULL.
std::vector<std::uint64_t> recode_auxv(const std::vector<std::uint64_t> &words, const Host &target,
                                       const AuxvChange &change);

} // namespace hrunc::recode
