#include "popcorn/passes/steps.h"

#include <llvm/ADT/BitVector.h>
#include <llvm/ADT/PostOrderIterator.h>
#include <llvm/IR/CFG.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>

namespace hrunc::popcorn {

bool is_stack_save(const llvm::Value *value) {
    const auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(value);
    return call != nullptr && call->getIntrinsicID() == llvm::Intrinsic::stacksave;
}

bool is_static_alloca(const llvm::Value *value) {
    const auto *alloca = llvm::dyn_cast<llvm::AllocaInst>(value);
    return alloca != nullptr && alloca->isStaticAlloca();
}

namespace {

class Liveness {
  public:
    explicit Liveness(llvm::Function &function) {
        for (llvm::Argument &argument : function.args()) number(argument);
        for (llvm::Instruction &instruction : llvm::instructions(function)) number(instruction);
        solve(function);
    }

    std::vector<llvm::Value *> after(const llvm::CallInst &call) const {
        llvm::BitVector live = out_.lookup(call.getParent());
        for (const llvm::Instruction *at = &call.getParent()->back(); at != &call; at = at->getPrevNode())
            step_over(*at, live);
        if (auto found = numbers_.find(&call); found != numbers_.end()) live.reset(found->second);
        std::vector<llvm::Value *> values;
        for (unsigned i : live.set_bits()) values.push_back(values_[i]);
        return values;
    }

  private:
    void number(llvm::Value &value) {
        llvm::Type *type = value.getType();
        if (type->isVoidTy() || type->isTokenTy() || type->isMetadataTy() || is_static_alloca(&value)) return;
        numbers_[&value] = static_cast<unsigned>(values_.size());
        values_.push_back(&value);
    }

    void use(const llvm::Value *value, llvm::BitVector &live) const {
        if (auto found = numbers_.find(value); found != numbers_.end()) live.set(found->second);
    }

    void step_over(const llvm::Instruction &instruction, llvm::BitVector &live) const {
        if (auto found = numbers_.find(&instruction); found != numbers_.end()) live.reset(found->second);
        if (llvm::isa<llvm::PHINode>(instruction)) return; // its uses belong to the edges
        for (const llvm::Use &operand : instruction.operands()) use(operand.get(), live);
    }

    void solve(llvm::Function &function) {
        llvm::DenseMap<const llvm::BasicBlock *, llvm::BitVector> in;
        for (llvm::BasicBlock &block : function) {
            in[&block].resize(static_cast<unsigned>(values_.size()));
            out_[&block].resize(static_cast<unsigned>(values_.size()));
        }
        for (bool changed = true; changed;) {
            changed = false;
            for (llvm::BasicBlock *block : llvm::post_order(&function)) {
                llvm::BitVector live(static_cast<unsigned>(values_.size()));
                for (const llvm::BasicBlock *next : llvm::successors(block)) {
                    live |= in[next];
                    for (const llvm::PHINode &phi : next->phis()) use(phi.getIncomingValueForBlock(block), live);
                }
                out_[block] = live;
                for (const llvm::Instruction *at = &block->back(); at != nullptr; at = at->getPrevNode())
                    step_over(*at, live);
                if (live == in[block]) continue;
                in[block] = std::move(live);
                changed = true;
            }
        }
    }

    std::vector<llvm::Value *> values_;
    llvm::DenseMap<const llvm::Value *, unsigned> numbers_;
    llvm::DenseMap<const llvm::BasicBlock *, llvm::BitVector> out_;
};

} // namespace

std::vector<std::vector<llvm::Value *>> live_across(llvm::Function &function,
                                                    const llvm::SmallVectorImpl<llvm::CallInst *> &calls) {
    Liveness liveness(function);
    std::vector<std::vector<llvm::Value *>> result;
    result.reserve(calls.size());
    for (const llvm::CallInst *call : calls) result.push_back(liveness.after(*call));
    return result;
}

} // namespace hrunc::popcorn
