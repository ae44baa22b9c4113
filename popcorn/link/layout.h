// The aligned layout: a slot for each function and variable, as large as the larger of the two.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "popcorn/link/object.h"

namespace hrunc::link {

// One linker script for each ISA, by which each symbol with a section of its own gets one address, and all segments the
// same places and sizes. Sections without such a name, or that stand in one ISA's native library, follow in a part of
// their segment that is as large as the larger of the two. With `sites`, the section .popcorn.sites is the last one of
// the image; without, .llvm_stackmaps stands in its place, for whoever makes the sites out of it.
//
// Fails with kInternal where data differs in size.
Result<std::array<std::string, 2>> make_scripts(const std::array<std::vector<Object>, 2> &objects, bool sites);

} // namespace hrunc::link
