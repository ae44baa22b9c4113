#include "popcorn/passes/steps.h"

#include <llvm/IR/InstIterator.h>
#include <llvm/Transforms/Utils/Local.h>

namespace hrunc::popcorn {
namespace {

using Addresses = llvm::DenseSet<llvm::Instruction *>;

// A constant away from its base, so that code generators make it a part of the instruction that uses it. One that is
// only what another value may be, as the next address in a loop is, has no such instruction.
bool is_offset(const llvm::Value *value) {
    const auto *address = llvm::dyn_cast<llvm::GetElementPtrInst>(value);
    return address != nullptr && address->hasAllConstantIndices() && !address->getType()->isVectorTy() &&
           !llvm::isa<llvm::Constant>(address->getPointerOperand()) &&
           !llvm::all_of(address->users(), [](const llvm::User *user) { return llvm::isa<llvm::PHINode>(user); });
}

Addresses recorded_offsets(llvm::Function &function, const llvm::SmallVectorImpl<llvm::CallInst *> &calls) {
    Addresses addresses;
    for (const std::vector<llvm::Value *> &live : live_across(function, calls)) {
        Site site;
        sort_live_values(site, live);
        for (llvm::Value *value : site.words)
            if (is_offset(value)) addresses.insert(llvm::cast<llvm::Instruction>(value));
    }
    return addresses;
}

void move_to_uses(llvm::Instruction &address) {
    llvm::SmallVector<llvm::Use *, 8> uses;
    for (llvm::Use &use : address.uses()) uses.push_back(&use);
    llvm::DenseMap<llvm::BasicBlock *, llvm::Instruction *> at_ends;
    auto copy_before = [&](llvm::Instruction *user) {
        llvm::Instruction *copy = address.clone();
        copy->insertBefore(user);
        return copy;
    };
    for (llvm::Use *use : uses) {
        auto *user = llvm::cast<llvm::Instruction>(use->getUser());
        if (auto *phi = llvm::dyn_cast<llvm::PHINode>(user)) {
            llvm::BasicBlock *from = phi->getIncomingBlock(*use);
            llvm::Instruction *&copy = at_ends[from];
            if (copy == nullptr) copy = copy_before(from->getTerminator());
            use->set(copy);
        } else {
            use->set(copy_before(user));
        }
    }
    llvm::salvageDebugInfo(address);
    address.eraseFromParent();
}

// Loop passes leave many of them at the exits of loops.
void remove_single_phis(llvm::Function &function) {
    for (bool changed = true; changed;) {
        changed = false;
        for (llvm::BasicBlock &block : function)
            for (llvm::PHINode &phi : llvm::make_early_inc_range(block.phis())) {
                llvm::Value *value = phi.hasConstantValue();
                if (value == nullptr || value == &phi) continue;
                phi.replaceAllUsesWith(value);
                phi.eraseFromParent();
                changed = true;
            }
    }
}

} // namespace

void simplify_values(llvm::Function &function, const llvm::SmallVectorImpl<llvm::CallInst *> &calls) {
    remove_single_phis(function);
    for (;;) {
        const Addresses addresses = recorded_offsets(function, calls);
        if (addresses.empty()) return;
        llvm::SmallVector<llvm::Instruction *, 16> ordered;
        for (llvm::Instruction &instruction : llvm::instructions(function))
            if (addresses.contains(&instruction)) ordered.push_back(&instruction);
        for (llvm::Instruction *address : ordered) move_to_uses(*address);
    }
}

} // namespace hrunc::popcorn
