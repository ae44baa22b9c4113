// hrunc-recode.json: how a recoded directory says of itself that no process has run from it yet. Its core images then
// still have the registers that the processes had on their own ISA, with which they can be sent back as they were.
#pragma once

#include <string>
#include <string_view>

#include "arch/isa.h"
#include "base/fd.h"

namespace hrunc::recode {

inline constexpr const char *kSidecarName = "hrunc-recode.json";

std::string sidecar(arch::Isa from, arch::Isa to);

// Whether `directory` says that it was recoded from `from` to `to`. Text that is no such file says nothing. A false
// claim gives its author nothing: whoever writes the images chooses the registers anyway.
bool recoded_before(const Fd &directory, arch::Isa from, arch::Isa to);

} // namespace hrunc::recode
