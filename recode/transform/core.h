// One thread's core image for another ISA or kernel.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"
#include "popcorn/popcorn_abi.h"
#include "recode/host.h"
#include "recode/images/core.pb.h"
#include "recode/transform/executables.h"

namespace hrunc::recode {

// Where a thread that changes its ISA goes on.
struct ThreadState {
    popcorn_regs regs{};
    std::uint64_t tls = 0;
    bool saved_block = false; // the image still has the target's own registers, of before an earlier recode: use those
    std::optional<std::uint64_t> sigreturn; // the program's __popcorn_sigreturn, on both ISAs
    bool keep_restorers = false;            // all signal restorers stand at one address on both ISAs
};

// For a living thread that moves to the other ISA; it goes on running, also where the dump found it stopped.
Result<void> recode_thread(images::Core &core, const ThreadState &state, arch::Isa to);

// For a process that is dead already: its image only names the ISA.
void recode_dead(images::Core &core, arch::Isa to);

// Capability sets without what the target's kernel does not know. The result is the number of those.
unsigned drop_unknown_capabilities(images::Core &core, std::uint32_t last_capability);

} // namespace hrunc::recode
