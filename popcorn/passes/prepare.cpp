#include "popcorn/passes/steps.h"

#include <llvm/ADT/SetVector.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

namespace hrunc::popcorn {

void gather_allocas(llvm::Module &module) {
    for (llvm::Function &function : module) {
        if (function.isDeclaration()) continue;
        llvm::BasicBlock &entry = function.getEntryBlock();
        std::vector<llvm::Instruction *> allocas;
        for (llvm::Instruction &instruction : entry)
            if (is_static_alloca(&instruction)) allocas.push_back(&instruction);
        for (auto alloca = allocas.rbegin(); alloca != allocas.rend(); alloca++)
            (*alloca)->moveBefore(entry, entry.begin());
    }
}

void promote_stack_tokens(llvm::Module &module) {
    for (llvm::Function &function : module) {
        llvm::SetVector<llvm::AllocaInst *> homes;
        for (llvm::Instruction &instruction : llvm::instructions(function)) {
            auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction);
            if (store == nullptr || !is_stack_save(store->getValueOperand())) continue;
            auto *home = llvm::dyn_cast<llvm::AllocaInst>(store->getPointerOperand());
            if (home != nullptr && llvm::isAllocaPromotable(home)) homes.insert(home);
        }
        if (homes.empty()) continue;
        llvm::DominatorTree tree(function);
        llvm::PromoteMemToReg(homes.getArrayRef(), tree);
    }
}

Result<void> check_supported(const llvm::Module &module) {
    for (const llvm::Function &function : module)
        for (const llvm::Instruction &instruction : llvm::instructions(function)) {
            const char *what = nullptr;
            if (llvm::isa<llvm::CallBrInst>(instruction)) what = "asm goto";
            if (llvm::isa<llvm::IndirectBrInst>(instruction)) what = "a computed goto that was not lowered";
            if (instruction.isEHPad()) what = "exception handling";
            if (const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
                call != nullptr && call->hasOperandBundles() && !llvm::isa<llvm::IntrinsicInst>(call))
                what = "a call with an operand bundle";
            if (what != nullptr)
                return Error(ErrorCode::kRefused, "function '" + function.getName().str() + "' has " + what);
        }
    return {};
}

} // namespace hrunc::popcorn
