#include "popcorn/passes/capture.h"

#include "popcorn/passes/steps.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

namespace hrunc::popcorn {
namespace {

Result<void> verify(const llvm::Module &module, const CaptureOptions &options, const char *step) {
    if (!options.verify) return {};
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (!llvm::verifyModule(module, &stream)) return {};
    return Error(ErrorCode::kInternal, std::string("after step '") + step + "' the module is broken: " + text);
}

// Its frames cannot be rebuilt: capture is put off while one is on the stack.
bool is_skipped(const llvm::Function &function) {
    if (function.isVarArg() || function.hasFnAttribute(llvm::Attribute::Naked)) return true;
    for (const llvm::Instruction &instruction : llvm::instructions(function)) {
        const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
        if (call == nullptr) continue;
        if (call->hasFnAttr(llvm::Attribute::ReturnsTwice) && !is_setjmp(*call)) return true;
        if (!is_stack_save(call)) continue;
        for (const llvm::User *user : call->users()) {
            const auto *intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(user);
            if (intrinsic == nullptr || intrinsic->getIntrinsicID() != llvm::Intrinsic::stackrestore) return true;
        }
    }
    return false;
}

void list_clones(llvm::Module &module, const std::vector<llvm::Constant *> &clones) {
    auto *type = llvm::ArrayType::get(llvm::PointerType::get(module.getContext(), 0), clones.size());
    llvm::GlobalVariable *list = module.getGlobalVariable(kResumeFunctions);
    auto *defined = new llvm::GlobalVariable(module, type, true, llvm::GlobalValue::ExternalLinkage,
                                             llvm::ConstantArray::get(type, clones), kResumeFunctions);
    defined->setDSOLocal(true);
    if (list == nullptr) return;
    defined->takeName(list);
    list->replaceAllUsesWith(defined);
    list->eraseFromParent();
}

} // namespace

void leave_uninstrumented(llvm::Module &module) {
    list_clones(module, {});
}

Result<CaptureFigures> instrument(llvm::Module &module, const CaptureOptions &options) {
    CaptureFigures figures;
    HRUNC_TRY_IN(check_supported(module), "instrument");
    gather_allocas(module);
    promote_stack_tokens(module);
    HRUNC_TRY_IN(verify(module, options, "allocas"), "instrument");
    figures.polls = insert_polls(module, options);
    HRUNC_TRY_IN(verify(module, options, "polls"), "instrument");
    CallGraph graph(module);
    std::vector<FunctionSites> functions;
    for (llvm::Function &function : module) {
        if (graph.may_capture(function)) function.addFnAttr(kReachingAttribute);
        if (function.isDeclaration() || !graph.may_capture(function)) continue;
        if (is_skipped(function)) {
            figures.skipped++;
            continue;
        }
        function.addFnAttr(kSitesAttribute);
        FunctionSites sites = attach_bundles(function, static_cast<std::uint32_t>(functions.size()), graph);
        if (sites.sites.empty()) continue;
        functions.push_back(std::move(sites));
    }
    HRUNC_TRY_IN(verify(module, options, "sites"), "instrument");
    std::vector<llvm::Constant *> clones;
    for (const FunctionSites &sites : functions) {
        clones.push_back(make_resume_clone(sites));
        figures.functions++;
        figures.sites += static_cast<unsigned>(sites.sites.size());
        for (const Site &site : sites.sites) figures.values += static_cast<unsigned>(site.words.size());
    }
    list_clones(module, clones);
    HRUNC_TRY_IN(verify(module, options, "resume clones"), "instrument");
    return figures;
}

} // namespace hrunc::popcorn
