#include "popcorn/passes/branches.h"

#include <vector>

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>

namespace hrunc::passes {
namespace {

using namespace llvm;

void lower_function(Function &function) {
    IntegerType *word = Type::getInt64Ty(function.getContext());
    std::vector<std::pair<BasicBlock *, ConstantInt *>> labels;
    for (BasicBlock &block : function) {
        if (!block.hasAddressTaken()) continue;
        BlockAddress *address = BlockAddress::lookup(&block);
        if (!address) continue;
        auto *number = ConstantInt::get(word, labels.size() + 1);
        labels.emplace_back(&block, number);
        address->replaceAllUsesWith(ConstantExpr::getIntToPtr(number, address->getType()));
        address->destroyConstant();
    }
    for (BasicBlock &block : function) {
        auto *branch = dyn_cast<IndirectBrInst>(block.getTerminator());
        if (!branch) continue;
        IRBuilder<> builder(branch);
        SmallPtrSet<BasicBlock *, 16> targets(succ_begin(&block), succ_end(&block));
        BasicBlock *unreachable = BasicBlock::Create(function.getContext(), "", &function);
        new UnreachableInst(function.getContext(), unreachable);
        auto *choice = builder.CreateSwitch(builder.CreatePtrToInt(branch->getAddress(), word), unreachable);
        for (auto [target, number] : labels)
            if (targets.contains(target)) choice->addCase(number, target);
        // A block may stand twice among the targets; a phi has an entry for each.
        SmallPtrSet<BasicBlock *, 16> kept;
        for (unsigned i = 0; i < branch->getNumDestinations(); i++)
            if (BasicBlock *target = branch->getDestination(i);
                !kept.insert(target).second || !is_contained(successors(choice), target))
                target->removePredecessor(&block, true);
        branch->eraseFromParent();
    }
}

} // namespace

void lower_computed_gotos(Module &module) {
    for (Function &function : module)
        if (!function.isDeclaration()) lower_function(function);
}

} // namespace hrunc::passes
