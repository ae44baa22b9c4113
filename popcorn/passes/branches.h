// Computed gotos become switches: a label's address is a number, the same on both ISAs.
#pragma once

#include <llvm/IR/Module.h>

namespace hrunc::passes {

// Labels of a function are numbered from 1, in the order of its blocks. Labels that are never jumped to keep the
// number 1.
void lower_computed_gotos(llvm::Module &module);

} // namespace hrunc::passes
