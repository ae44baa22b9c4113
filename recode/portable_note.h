// The ELF note by which a program of the portable ABI is known (popcorn/abi.h).
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "recode/elf.h"

namespace hrunc::recode {

// The address, as linked, of the program's struct popcorn_process; nothing: it is no such program. An error if the note
// is not as the ABI says, or the object does not lie in writable data.
Result<std::optional<std::uint64_t>> portable_process(const Elf &elf);

} // namespace hrunc::recode
