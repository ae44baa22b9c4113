// A plugin of clang: says at the source line what the link would refuse, so that feature tests which only compile get
// the right answer. And keeps clang from what it cannot do.
#include "popcorn/passes/assembly.h"
#include "popcorn/passes/quads.h"

#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Passes/PassPlugin.h>

namespace {

using namespace llvm;

struct RefuseAssembly : PassInfoMixin<RefuseAssembly> {
    static PreservedAnalyses run(Module &module, ModuleAnalysisManager &) {
        for (const hrunc::passes::Assembly &assembly : hrunc::passes::find_assembly(module)) {
            if (assembly.call)
                module.getContext().diagnose(DiagnosticInfoInlineAsm(*assembly.call, assembly.text, DS_Error));
            else
                module.getContext().diagnose(
                    DiagnosticInfoInlineAsm(module.getSourceFileName() + ": " + assembly.text, DS_Error));
        }
        return PreservedAnalyses::all();
    }
    static bool isRequired() { return true; } // with -O0, too
};

} // namespace

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT PassPluginLibraryInfo llvmGetPassPluginInfo() {
    return {LLVM_PLUGIN_API_VERSION, "popcorn-front", "1", [](PassBuilder &builder) {
                builder.registerPipelineStartEPCallback(
                    [](ModulePassManager &passes, OptimizationLevel) { passes.addPass(RefuseAssembly()); });
                hrunc::passes::keep_quad_calls(builder);
            }};
}
