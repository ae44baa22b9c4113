#include "popcorn/passes/assembly.h"

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/InstrTypes.h>
#include <llvm/IR/Module.h>

namespace hrunc::passes {
namespace {

std::string message(llvm::StringRef where, llvm::StringRef assembly) {
    return (where + "assembly \"" + assembly.trim().substr(0, 60) +
            "\": it belongs to one ISA; build the C variant of this source")
        .str();
}

} // namespace

std::vector<Assembly> find_assembly(const llvm::Module &module) {
    std::vector<Assembly> found;
    if (!module.getModuleInlineAsm().empty())
        found.push_back({nullptr, message("outside of functions: ", module.getModuleInlineAsm())});
    for (const llvm::Function &function : module) {
        for (const llvm::Instruction &instruction : llvm::instructions(function)) {
            const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
            const auto *assembly = call ? llvm::dyn_cast<llvm::InlineAsm>(call->getCalledOperand()) : nullptr;
            if (!assembly || llvm::StringRef(assembly->getAsmString()).trim().empty()) continue;
            found.push_back({call, message((function.getName() + ": inline ").str(), assembly->getAsmString())});
        }
    }
    return found;
}

} // namespace hrunc::passes
