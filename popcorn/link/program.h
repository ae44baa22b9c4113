// The whole link: bitcode in, two executables out.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include <llvm/IR/Module.h>

#include "base/result.h"
#include "popcorn/link/options.h"

namespace hrunc::link {

// A pass over the optimised, neutral module, before it is cloned for the ISAs. What it inserts has to be valid under
// both data layouts. Symbols that native code refers to are external in it.
using NeutralPass = std::function<Result<void>(llvm::Module &)>;

// Makes the contents of .popcorn.sites of both executables, x86-64's first, out of the linked files. They are padded to
// the same size, and the files are linked again with them; no address changes by that. Called only if code generation
// has made a .llvm_stackmaps section, which lies where .popcorn.sites will, and is not in the final files.
using SiteTables = std::function<Result<std::array<std::string, 2>>(const std::array<std::string, 2> &executables)>;

struct Steps {
    std::vector<NeutralPass> passes;
    SiteTables sites;
};

// Writes OUTPUT_x86-64, OUTPUT_aarch64 and OUTPUT, a copy of the one for this machine, by renaming finished files; none
// of them where OUTPUT is a device.
Result<void> link_program(const Options &options, const Steps &steps);

} // namespace hrunc::link
