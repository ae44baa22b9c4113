#include "popcorn/passes/variadics.h"

#include <vector>

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>

namespace hrunc::passes {
namespace {

using namespace llvm;

constexpr uint64_t kSlot = 8, kLeast = 6 * kSlot;

FunctionType *lowered(FunctionType *type) {
    std::vector<Type *> parameters(type->param_begin(), type->param_end());
    parameters.push_back(PointerType::getUnqual(type->getContext()));
    return FunctionType::get(type->getReturnType(), parameters, false);
}

// A variadic function may read its arguments and the va_list: what was said of its memory does not hold any more.
AttributeList attributes_for(AttributeList old, size_t fixed, LLVMContext &context) {
    std::vector<AttributeSet> parameters;
    for (size_t i = 0; i < fixed; i++) parameters.push_back(old.getParamAttrs(static_cast<unsigned>(i)));
    parameters.emplace_back();
    AttributeSet function = old.getFnAttrs().removeAttribute(context, Attribute::Memory);
    return AttributeList::get(context, function, old.getRetAttrs(), parameters);
}

void lower_body(Function &function, Value *arguments) {
    std::vector<Instruction *> dead;
    for (Instruction &instruction : instructions(function)) {
        if (auto *start = dyn_cast<VAStartInst>(&instruction)) {
            if (arguments) new StoreInst(arguments, start->getArgList(), start->getIterator());
        } else if (auto *copy = dyn_cast<VACopyInst>(&instruction)) {
            IRBuilder<> builder(copy);
            builder.CreateStore(builder.CreateLoad(builder.getPtrTy(), copy->getSrc()), copy->getDest());
        } else if (!isa<VAEndInst>(&instruction)) {
            continue;
        }
        dead.push_back(&instruction);
    }
    for (Instruction *instruction : dead) instruction->eraseFromParent();
}

void lower_function(Function &old) {
    FunctionType *type = lowered(old.getFunctionType());
    Function *fresh = Function::Create(type, old.getLinkage(), old.getAddressSpace());
    fresh->copyAttributesFrom(&old);
    fresh->setAttributes(attributes_for(old.getAttributes(), old.arg_size(), old.getContext()));
    fresh->setComdat(old.getComdat());
    old.getParent()->getFunctionList().insert(old.getIterator(), fresh);
    fresh->takeName(&old);
    fresh->splice(fresh->begin(), &old);
    for (auto [from, to] : zip(old.args(), fresh->args())) {
        from.replaceAllUsesWith(&to);
        to.takeName(&from);
    }
    SmallVector<std::pair<unsigned, MDNode *>> metadata;
    old.getAllMetadata(metadata);
    for (auto [kind, node] : metadata) fresh->addMetadata(kind, *node);
    old.clearMetadata();
    Argument *arguments = fresh->getArg(static_cast<unsigned>(type->getNumParams() - 1));
    arguments->setName("arguments");
    lower_body(*fresh, arguments);
    old.replaceAllUsesWith(fresh);
    old.eraseFromParent();
}

struct Layout {
    std::vector<uint64_t> offsets;
    uint64_t size = 0;
};

Layout lay_out(const CallBase &call, const DataLayout &data) {
    Layout layout;
    for (size_t i = call.getFunctionType()->getNumParams(); i < call.arg_size(); i++) {
        Type *type = call.getArgOperand(static_cast<unsigned>(i))->getType();
        uint64_t align = std::max(kSlot, data.getABITypeAlign(type).value());
        layout.size = alignTo(layout.size, align);
        layout.offsets.push_back(layout.size);
        layout.size += alignTo(data.getTypeAllocSize(type), kSlot);
    }
    layout.size = std::max(layout.size, kLeast);
    return layout;
}

void lower_call(CallBase &call, const DataLayout &data) {
    FunctionType *type = call.getFunctionType();
    size_t fixed = type->getNumParams();
    Layout layout = lay_out(call, data);
    IRBuilder<> entry(&*call.getFunction()->getEntryBlock().getFirstInsertionPt());
    auto *buffer = entry.CreateAlloca(ArrayType::get(entry.getInt8Ty(), layout.size), nullptr, "arguments");
    buffer->setAlignment(Align(16));

    IRBuilder<> builder(&call);
    auto *size = builder.getInt64(layout.size);
    builder.CreateLifetimeStart(buffer, size);
    std::vector<Value *> operands(call.arg_begin(), call.arg_begin() + static_cast<ptrdiff_t>(fixed));
    for (size_t i = 0; i < layout.offsets.size(); i++) {
        Value *value = call.getArgOperand(static_cast<unsigned>(fixed + i));
        if (value->getType()->isIntegerTy() && value->getType()->getIntegerBitWidth() < 64) {
            bool is_signed = call.paramHasAttr(static_cast<unsigned>(fixed + i), Attribute::SExt);
            value = builder.CreateIntCast(value, builder.getInt64Ty(), is_signed);
        }
        Value *place = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), buffer, layout.offsets[i]);
        builder.CreateAlignedStore(value, place, Align(kSlot));
    }
    operands.push_back(buffer);

    SmallVector<OperandBundleDef> bundles;
    call.getOperandBundlesAsDefs(bundles);
    CallBase *fresh;
    if (auto *invoke = dyn_cast<InvokeInst>(&call)) {
        fresh = builder.CreateInvoke(lowered(type), call.getCalledOperand(), invoke->getNormalDest(),
                                     invoke->getUnwindDest(), operands, bundles);
    } else {
        auto *plain = builder.CreateCall(lowered(type), call.getCalledOperand(), operands, bundles);
        builder.CreateLifetimeEnd(buffer, size);
        fresh = plain;
    }
    fresh->setCallingConv(call.getCallingConv());
    fresh->setAttributes(attributes_for(call.getAttributes(), fixed, call.getContext()));
    fresh->copyMetadata(call);
    if (fresh->getType()->isVoidTy() == false) fresh->takeName(&call);
    call.replaceAllUsesWith(fresh);
    call.eraseFromParent();
}

} // namespace

void lower_variadics(Module &module) {
    std::vector<Function *> functions;
    std::vector<CallBase *> calls;
    for (Function &function : module) {
        if (function.isIntrinsic()) continue;
        functions.push_back(&function);
        for (Instruction &instruction : instructions(function))
            if (auto *call = dyn_cast<CallBase>(&instruction); call && call->getFunctionType()->isVarArg())
                if (!isa<IntrinsicInst>(call)) calls.push_back(call);
    }
    for (CallBase *call : calls) lower_call(*call, module.getDataLayout());
    for (Function *function : functions) {
        if (function->isVarArg())
            lower_function(*function);
        else
            lower_body(*function, nullptr);
    }
}

} // namespace hrunc::passes
