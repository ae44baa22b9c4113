// The registers that a parked popcorn process left for its target, and the thread that CRIU is to start from them.
#pragma once

#include <cstdint>
#include <string_view>

#include "arch/isa.h"
#include "base/result.h"
#include "popcorn/popcorn_abi.h"
#include "recode/images/core.pb.h"

namespace hrunc::recode {

// The target that regs_dst names; an error if its magic is none of the two (the process is not at a migration point).
Result<arch::Isa> parked_for(const popcorn_regs &regs);

// `core` of the source ISA gets the block of the other one; its own stays, and floating-point control and
// clear_tid_address come from there. kInvalid if that block is missing.
Result<void> set_popcorn_thread(images::Core &core, const popcorn_regs &regs, std::uint64_t tls, arch::Isa to);

} // namespace hrunc::recode
