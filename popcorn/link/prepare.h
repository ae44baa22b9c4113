// From the linked module to the neutral one that both code generators get.
#pragma once

#include <set>
#include <string>

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "base/result.h"

namespace hrunc::link {

// Binds symbols that are nowhere defined to null, and takes out what the front end said about its own target.
Result<void> neutralise(llvm::Module &module);

// Makes everything internal but `roots` and the functions that optimiser or code generators may call; optimises. The
// costs are those of `machine`, the ISA with the smaller vector unit.
Result<void> optimise(llvm::Module &module, llvm::TargetMachine &machine, const std::set<std::string> &roots,
                      unsigned level);

// Lowers what differs between the ISAs: variadic functions, thread-local variables, computed gotos; names constants.
Result<void> lower(llvm::Module &module, const std::set<std::string> &roots);

// Fails with kInternal, naming `step`, if the module is not well-formed.
Result<void> verify_module(const llvm::Module &module, const std::string &step);

} // namespace hrunc::link
