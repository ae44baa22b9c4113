// Assembly in C: it belongs to one ISA.
#pragma once

#include <string>
#include <vector>

namespace llvm {
class Instruction;
class Module;
} // namespace llvm

namespace hrunc::passes {

struct Assembly {
    const llvm::Instruction *call = nullptr; // null: outside of functions
    std::string text;                        // of the message: the symbol, the assembly, and what to do
};

// All of a module. Empty assembly, which programs use as a compiler barrier, is none.
std::vector<Assembly> find_assembly(const llvm::Module &module);

} // namespace hrunc::passes
