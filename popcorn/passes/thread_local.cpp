#include "popcorn/passes/thread_local.h"

#include <map>
#include <vector>

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/ReplaceConstant.h>

namespace hrunc::passes {
namespace {

using namespace llvm;

constexpr const char *kDescription = "__popcorn_tls";

struct Block {
    std::vector<std::pair<GlobalVariable *, uint64_t>> places; // offset from the block's start
    uint64_t filled = 0, size = 0, align = 16;
};

// Variables with initial values first: the rest of the block is zero and needs no image.
Block lay_out(const std::vector<GlobalVariable *> &variables, const DataLayout &data) {
    Block block;
    for (bool zero : {false, true}) {
        for (GlobalVariable *variable : variables) {
            if (variable->getInitializer()->isNullValue() != zero) continue;
            Align align = data.getPreferredAlign(variable);
            block.align = std::max(block.align, align.value());
            block.size = alignTo(block.size, align);
            block.places.emplace_back(variable, block.size);
            block.size += data.getTypeAllocSize(variable->getValueType());
        }
        if (!zero) block.filled = block.size;
    }
    block.size = alignTo(block.size, block.align);
    return block;
}

GlobalVariable *make_image(Module &module, const Block &block) {
    LLVMContext &context = module.getContext();
    std::vector<Constant *> parts;
    uint64_t at = 0;
    auto fill = [&](uint64_t to) {
        if (to > at) parts.push_back(ConstantAggregateZero::get(ArrayType::get(Type::getInt8Ty(context), to - at)));
        at = to;
    };
    for (auto [variable, offset] : block.places) {
        if (variable->getInitializer()->isNullValue()) continue;
        fill(offset);
        parts.push_back(variable->getInitializer());
        at += module.getDataLayout().getTypeAllocSize(variable->getValueType());
    }
    auto *value = ConstantStruct::getAnon(context, parts, true);
    auto *image =
        new GlobalVariable(module, value->getType(), true, GlobalValue::InternalLinkage, value, "__popcorn_tls_image");
    image->setAlignment(Align(16));
    return image;
}

void describe(Module &module, const Block &block) {
    LLVMContext &context = module.getContext();
    Type *word = Type::getInt64Ty(context);
    auto number = [&](uint64_t value) { return ConstantInt::get(word, value); };
    Constant *value = ConstantStruct::getAnon(
        context, {make_image(module, block), number(block.filled), number(block.size), number(block.align)});
    auto *fresh = new GlobalVariable(module, value->getType(), true, GlobalValue::ExternalLinkage, value, "");
    if (GlobalVariable *old = module.getNamedGlobal(kDescription)) {
        old->replaceAllUsesWith(fresh);
        old->eraseFromParent();
    }
    fresh->setName(kDescription);
}

void replace(GlobalVariable &variable, int64_t distance) {
    Constant *self = &variable;
    convertUsersOfConstantsToInstructions({self});
    std::vector<User *> users(variable.user_begin(), variable.user_end());
    for (User *user : users) {
        auto *instruction = dyn_cast<Instruction>(user);
        if (!instruction) continue;
        auto place = instruction->getIterator();
        for (unsigned i = 0; i < instruction->getNumOperands(); i++) {
            if (instruction->getOperand(i) != &variable) continue;
            if (auto *phi = dyn_cast<PHINode>(instruction))
                place = phi->getIncomingBlock(i)->getTerminator()->getIterator();
            IRBuilder<> builder(place->getParent(), place);
            Value *pointer = builder.CreateIntrinsic(Intrinsic::thread_pointer, {}, {});
            Value *address = builder.CreateConstGEP1_64(builder.getInt8Ty(), pointer, static_cast<uint64_t>(distance));
            auto *intrinsic = dyn_cast<IntrinsicInst>(instruction);
            if (intrinsic && intrinsic->getIntrinsicID() == Intrinsic::threadlocal_address) {
                intrinsic->replaceAllUsesWith(address);
                intrinsic->eraseFromParent();
                break;
            }
            instruction->setOperand(i, address);
        }
    }
}

} // namespace

void lower_thread_locals(Module &module) {
    std::vector<GlobalVariable *> variables;
    for (GlobalVariable &variable : module.globals())
        if (variable.isThreadLocal() && variable.hasInitializer()) variables.push_back(&variable);
    Block block = lay_out(variables, module.getDataLayout());
    describe(module, block);
    for (auto [variable, offset] : block.places)
        replace(*variable, static_cast<int64_t>(offset) - static_cast<int64_t>(block.size));
    for (GlobalVariable *variable : variables) {
        variable->removeDeadConstantUsers();
        if (variable->use_empty()) variable->eraseFromParent();
    }
}

} // namespace hrunc::passes
