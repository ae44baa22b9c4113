// Checkpoints of any size for measuring: a parked process of the popcorn ABI with so much heap.
#pragma once

#include <cstdint>
#include <filesystem>

#include "arch/isa.h"
#include "base/result.h"

namespace hrunc::bench {

struct Memory {
    std::uint64_t bytes = 0;     // of dumped heap
    std::uint64_t run_bytes = 0; // in runs of at most so many bytes, with a page between that was never touched
};

// Makes `directory` with a checkpoint on `from` of the program /app/NAME in `root`, which must be there as
// /app/NAME_x86-64 and /app/NAME_aarch64. The heap's pages are holes in the pages file: recoding does not read them.
Result<void> make_checkpoint(const std::filesystem::path &directory, const std::filesystem::path &root,
                             const std::string &name, arch::Isa from, const Memory &memory);

} // namespace hrunc::bench
