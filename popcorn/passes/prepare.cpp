#include "popcorn/passes/steps.h"

#include <llvm/ADT/SetVector.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include <map>

namespace hrunc::popcorn {
namespace {

// Numbers from 1 on: a block's address is not NULL.
std::map<llvm::Function *, std::vector<llvm::BasicBlock *>> number_block_addresses(llvm::Module &module) {
    std::map<llvm::Function *, std::vector<llvm::BasicBlock *>> blocks;
    for (llvm::Function &function : module)
        for (llvm::BasicBlock &block : function) {
            if (!block.hasAddressTaken()) continue;
            auto *address = llvm::BlockAddress::lookup(&block);
            if (address == nullptr) continue;
            blocks[&function].push_back(&block);
            auto *number =
                llvm::ConstantInt::get(llvm::Type::getInt64Ty(module.getContext()), blocks[&function].size());
            address->replaceAllUsesWith(llvm::ConstantExpr::getIntToPtr(number, address->getType()));
            address->destroyConstant();
        }
    return blocks;
}

void replace_by_switch(llvm::IndirectBrInst &jump, const std::vector<llvm::BasicBlock *> &numbered) {
    llvm::BasicBlock *block = jump.getParent();
    llvm::DenseMap<llvm::BasicBlock *, unsigned> edges; // to each destination so far
    for (unsigned i = 0; i < jump.getNumDestinations(); i++) edges[jump.getDestination(i)]++;
    auto *nowhere = llvm::BasicBlock::Create(jump.getContext(), "", block->getParent());
    new llvm::UnreachableInst(jump.getContext(), nowhere);
    llvm::IRBuilder<> build(&jump);
    llvm::Value *number = build.CreatePtrToInt(jump.getAddress(), build.getInt64Ty());
    llvm::SwitchInst *choice = build.CreateSwitch(number, nowhere, edges.size());
    for (unsigned i = 0; i < numbered.size(); i++) {
        auto found = edges.find(numbered[i]);
        if (found == edges.end() || found->second == 0) continue;
        choice->addCase(build.getInt64(i + 1), numbered[i]);
        found->second--;
    }
    // One edge a destination stays; phis have an entry an edge.
    for (auto &[destination, left] : edges)
        for (; left != 0; left--) destination->removePredecessor(block, /*KeepOneInputPHIs=*/true);
    jump.eraseFromParent();
}

} // namespace

void expand_computed_gotos(llvm::Module &module) {
    auto numbered = number_block_addresses(module);
    std::vector<llvm::IndirectBrInst *> jumps;
    for (llvm::Function &function : module)
        for (llvm::BasicBlock &block : function)
            if (auto *jump = llvm::dyn_cast<llvm::IndirectBrInst>(block.getTerminator())) jumps.push_back(jump);
    for (llvm::IndirectBrInst *jump : jumps) replace_by_switch(*jump, numbered[jump->getFunction()]);
}

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
