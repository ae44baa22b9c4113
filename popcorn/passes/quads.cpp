#include "popcorn/passes/quads.h"

#include <llvm/IR/InstIterator.h>
#include <llvm/IR/InstrTypes.h>
#include <llvm/Passes/PassBuilder.h>

namespace hrunc::passes {

namespace {

using namespace llvm;

struct KeepQuadCalls : PassInfoMixin<KeepQuadCalls> {
    static PreservedAnalyses run(Function &function, FunctionAnalysisManager &) {
        for (Instruction &instruction : instructions(function))
            if (auto *call = dyn_cast<CallBase>(&instruction))
                if (call->getType()->isFP128Ty() && call->arg_size() == 1) call->addFnAttr(Attribute::NoBuiltin);
        return PreservedAnalyses::all();
    }
};

void at_the_start(ModulePassManager &passes, OptimizationLevel) {
    passes.addPass(createModuleToFunctionPassAdaptor(KeepQuadCalls()));
}

} // namespace

void keep_quad_calls(PassBuilder &builder) {
    builder.registerPipelineStartEPCallback(at_the_start);
    builder.registerFullLinkTimeOptimizationEarlyEPCallback(at_the_start);
    // After each pass that makes new ones.
    builder.registerPeepholeEPCallback(
        [](FunctionPassManager &passes, OptimizationLevel) { passes.addPass(KeepQuadCalls()); });
}

} // namespace hrunc::passes
