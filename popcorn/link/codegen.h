// Code generation, in process, for both ISAs.
#pragma once

#include <memory>
#include <string>

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "base/result.h"
#include "popcorn/link/isa.h"

namespace hrunc::link {

// Registers LLVM's targets and sets the code generators' global options. Once, before anything else here.
void start_code_generators();

Result<std::unique_ptr<llvm::TargetMachine>> machine_for(const Isa &isa, unsigned level);

// Writes an object with a section a function and a variable. Several threads may do so at once, with a machine each.
Result<void> generate(llvm::StringRef bitcode, llvm::TargetMachine &machine, const std::string &path);

// Fails with kRefused where a type or a variable of `module` has not one layout on all ISAs.
Result<void> check_layouts(const llvm::Module &module, const llvm::TargetMachine &one,
                           const llvm::TargetMachine &other);

} // namespace hrunc::link
