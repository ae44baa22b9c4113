#include "popcorn/link/prepare.h"

#include <vector>

#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/AttributeMask.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/IPO/GlobalDCE.h>
#include <llvm/Transforms/IPO/Internalize.h>
#include <llvm/Transforms/Scalar/CallSiteSplitting.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include "popcorn/link/symbols.h"
#include "popcorn/passes/branches.h"
#include "popcorn/passes/capture.h"
#include "popcorn/passes/quads.h"
#include "popcorn/passes/thread_local.h"
#include "popcorn/passes/variadics.h"

namespace hrunc::link {
namespace {

using namespace llvm;

// Extension to registers' width is the front end's convention; native functions do not follow it for 32 bits.
AttributeList without_extension(AttributeList list, Type *result, ArrayRef<Type *> parameters, LLVMContext &context) {
    AttributeMask extension;
    extension.addAttribute(Attribute::SExt).addAttribute(Attribute::ZExt);
    if (result->isIntegerTy(32)) list = list.removeRetAttributes(context, extension);
    for (unsigned i = 0; i < parameters.size(); i++)
        if (parameters[i]->isIntegerTy(32)) list = list.removeParamAttributes(context, i, extension);
    return list;
}

void clean_function(Function &function, const TargetLibraryInfoImpl &library) {
    LibFunc known;
    // A library function must not be turned into a call of itself; all others may call what the optimiser likes.
    if (!library.getLibFunc(function.getName(), known)) function.removeFnAttr("no-builtins");
    for (const char *name : {"target-cpu", "target-features", "tune-cpu", "stack-protector-buffer-size", "probe-stack"})
        function.removeFnAttr(name);
    for (auto kind : {Attribute::StackProtect, Attribute::StackProtectReq, Attribute::StackProtectStrong})
        function.removeFnAttr(kind);
    function.setUWTableKind(UWTableKind::Sync);
    function.setSection("");
    FunctionType *type = function.getFunctionType();
    LLVMContext &context = function.getContext();
    function.setAttributes(without_extension(function.getAttributes(), type->getReturnType(), type->params(), context));
    for (Instruction &instruction : instructions(function)) {
        auto *call = dyn_cast<CallBase>(&instruction);
        if (!call) continue;
        type = call->getFunctionType();
        call->setAttributes(without_extension(call->getAttributes(), type->getReturnType(), type->params(), context));
    }
}

void bind_undefined(Module &module) {
    std::vector<GlobalValue *> undefined;
    for (GlobalValue &value : module.global_values()) {
        if (!value.hasExternalWeakLinkage()) continue;
        if (is_linker_symbol(value.getName()))
            value.setLinkage(GlobalValue::ExternalLinkage);
        else
            undefined.push_back(&value);
    }
    for (GlobalValue *value : undefined) {
        value->replaceAllUsesWith(ConstantPointerNull::get(cast<PointerType>(value->getType())));
        value->eraseFromParent();
    }
}

void drop_flags(Module &module) {
    NamedMDNode *flags = module.getModuleFlagsMetadata();
    if (!flags) return;
    std::vector<MDNode *> kept;
    for (MDNode *flag : flags->operands()) {
        StringRef name = cast<MDString>(flag->getOperand(1))->getString();
        if (name == "Dwarf Version" || name == "Debug Info Version" || name == "wchar_size") kept.push_back(flag);
    }
    flags->clearOperands();
    for (MDNode *flag : kept) flags->addOperand(flag);
}

TargetLibraryInfoImpl library_of(const Module &module, const Triple &triple) {
    TargetLibraryInfoImpl library(triple), all(triple);
    TargetLibraryInfo names(all);
    for (unsigned i = 0; i < NumLibFuncs; i++) {
        auto function = static_cast<LibFunc>(i);
        if (!names.has(function)) continue;
        StringRef name = names.getName(function);
        const GlobalValue *value = module.getNamedValue(name);
        if (!value || value->isDeclaration()) library.setUnavailable(function);
    }
    return library;
}

void internalise(Module &module, const std::function<bool(const GlobalValue &)> &keep) {
    internalizeModule(module, keep);
    ModuleAnalysisManager manager;
    PassBuilder builder;
    builder.registerModuleAnalyses(manager);
    LoopAnalysisManager loops;
    FunctionAnalysisManager functions;
    CGSCCAnalysisManager graph;
    builder.registerCGSCCAnalyses(graph);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, graph, manager);
    GlobalDCEPass().run(module, manager);
}

} // namespace

Result<void> verify_module(const Module &module, const std::string &step) {
    std::string text;
    raw_string_ostream stream(text);
    if (verifyModule(module, &stream)) return Error(ErrorCode::kInternal, "after " + step + ": " + text);
    return {};
}

Result<void> neutralise(Module &module) {
    bind_undefined(module);
    drop_flags(module);
    if (NamedMDNode *commands = module.getNamedMetadata("llvm.commandline")) commands->eraseFromParent();
    if (NamedMDNode *identity = module.getNamedMetadata("llvm.ident")) identity->eraseFromParent();
    module.setSourceFileName("program");
    TargetLibraryInfoImpl library{Triple("x86_64-unknown-linux-musl")};
    for (Function &function : module) clean_function(function, library);
    for (GlobalValue &value : module.global_values()) value.setDSOLocal(true);
    for (GlobalVariable &variable : module.globals())
        if (variable.hasCommonLinkage()) variable.setLinkage(GlobalValue::WeakAnyLinkage);
    return verify_module(module, "linking");
}

Result<void> optimise(Module &module, TargetMachine &machine, const std::set<std::string> &roots, unsigned level) {
    module.setTargetTriple(machine.getTargetTriple().str());
    module.setDataLayout(machine.createDataLayout());
    TargetLibraryInfoImpl library = library_of(module, machine.getTargetTriple());
    internalise(module, [&](const GlobalValue &value) {
        LibFunc known;
        return roots.contains(value.getName().str()) || runtime_calls().contains(value.getName().str()) ||
               library.getLibFunc(value.getName(), known);
    });
    if (level == 0) return {};
    PipelineTuningOptions tuning;
    tuning.LoopVectorization = tuning.SLPVectorization = level >= 2;
    tuning.LoopInterleaving = level >= 2;
    // Two equal calls take two sites, and code generators cannot merge them: none is made out of one, and those at the
    // ends of branches become one.
    PassInstrumentationCallbacks callbacks;
    callbacks.registerShouldRunOptionalPassCallback(
        [](StringRef pass, const Any &) { return pass != CallSiteSplittingPass::name(); });
    PassBuilder builder(&machine, tuning, std::nullopt, &callbacks);
    passes::keep_quad_calls(builder);
    LoopAnalysisManager loops;
    FunctionAnalysisManager functions;
    CGSCCAnalysisManager graph;
    ModuleAnalysisManager manager;
    functions.registerPass([&] { return TargetLibraryAnalysis(library); });
    builder.registerModuleAnalyses(manager);
    builder.registerCGSCCAnalyses(graph);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, graph, manager);
    OptimizationLevel o = level == 1   ? OptimizationLevel::O1
                          : level == 3 ? OptimizationLevel::O3
                                       : OptimizationLevel::O2;
    builder.registerFullLinkTimeOptimizationLastEPCallback([](ModulePassManager &passes, OptimizationLevel) {
        auto merging = SimplifyCFGOptions().sinkCommonInsts(true).hoistCommonInsts(true).convertSwitchRangeToICmp(true);
        passes.addPass(createModuleToFunctionPassAdaptor(SimplifyCFGPass(merging)));
    });
    builder.buildLTODefaultPipeline(o, nullptr).run(module, manager);
    return verify_module(module, "optimising");
}

Result<void> lower(Module &module, const std::set<std::string> &roots) {
    internalise(module, [&](const GlobalValue &value) {
        return roots.contains(value.getName().str()) || runtime_calls().contains(value.getName().str());
    });
    passes::lower_computed_gotos(module);
    passes::lower_variadics(module);
    passes::lower_thread_locals(module);
    unsigned number = 0;
    for (GlobalVariable &variable : module.globals()) {
        if (variable.hasPrivateLinkage()) variable.setLinkage(GlobalValue::InternalLinkage);
        if (!variable.hasName()) variable.setName("constant." + std::to_string(number++));
        variable.setUnnamedAddr(GlobalValue::UnnamedAddr::None);
    }
    for (Function &function : module) {
        if (function.hasPrivateLinkage()) function.setLinkage(GlobalValue::InternalLinkage);
        if (!function.hasName()) function.setName("function." + std::to_string(number++));
        // Code generators call it where nothing is recorded: a poll would ask for a capture in vain.
        if (runtime_calls().contains(function.getName().str())) function.addFnAttr(popcorn::kNoPollAttribute);
    }
    for (GlobalValue &value : module.global_values()) value.setDSOLocal(true);
    return verify_module(module, "lowering");
}

} // namespace hrunc::link
