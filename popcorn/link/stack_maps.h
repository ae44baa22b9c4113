// LLVM's section .llvm_stackmaps, version 3, as its document "Stack maps and patch points in LLVM" has it, with the
// operands of statepoints (calling convention, flags, number of deopt operands, those, then what a collector needs).
#pragma once

#include "base/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace hrunc::popcorn {

struct StackMapLocation {
    enum Kind : std::uint8_t { kRegister = 1, kDirect, kIndirect, kConstant, kConstantIndex };
    Kind kind = kConstant; // never kConstantIndex: looked up
    std::uint16_t size = 0;
    std::uint16_t dwarf_register = 0;
    std::int64_t value = 0; // offset or constant
};

struct StackMapRecord {
    std::uint64_t id = 0;
    std::uint64_t function = 0;       // address
    std::uint64_t frame = 0;          // bytes of stack that the function takes; all ones where that varies
    std::uint64_t return_address = 0; // just after the call
    std::vector<StackMapLocation> deopt;
};

// Of the section's bytes; several modules' maps may follow each other.
Result<std::vector<StackMapRecord>> read_stack_maps(std::span<const std::uint8_t> bytes);

} // namespace hrunc::popcorn
