// Where the threads of a parked portable process go on: popcorn/abi.h says what its memory promises. All of it is
// untrusted.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"
#include "recode/memory.h"
#include "recode/transform/core.h"

namespace hrunc::recode {

// `process`: address of its struct popcorn_process. `threads`: its threads' ids in its own pid namespace, as CRIU names
// them. The result has one entry for each of these, in that order. kRefused: it is not parked, of an unknown version,
// or its list is not that of the dumped threads.
Result<std::vector<ThreadState>> portable_states(std::uint64_t process, const std::vector<std::uint32_t> &threads,
                                                 DumpedMemory &memory, arch::Isa to);

} // namespace hrunc::recode
