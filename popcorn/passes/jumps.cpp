// setjmp. The site of such a call is never found as a return address: what it would record is written into an object of
// the frame before the call, where longjmp finds it after the frame has been rebuilt (popcorn/runtime/jump.c).
#include "popcorn/passes/steps.h"

#include <llvm/ADT/StringSwitch.h>
#include <llvm/IR/IRBuilder.h>

namespace hrunc::popcorn {
namespace {

constexpr unsigned kHeadWords = 2;   // site, number of words that follow
constexpr unsigned kObjectWord = 31; // of the jmp_buf: the object's address

} // namespace

bool is_setjmp(const llvm::CallBase &call) {
    const llvm::Function *callee = call.getCalledFunction();
    return callee != nullptr && llvm::isa<llvm::CallInst>(call) && call.arg_size() >= 1 &&
           llvm::StringSwitch<bool>(callee->getName())
               .Cases("setjmp", "_setjmp", "__setjmp", "sigsetjmp", "__sigsetjmp", true)
               .Default(false);
}

void add_jump_object(FunctionSites &sites, Site &site) {
    llvm::Function &function = *sites.function;
    unsigned words = kHeadWords + words_of(site, function.getParent()->getDataLayout());
    auto *type = llvm::ArrayType::get(llvm::Type::getInt64Ty(function.getContext()), words);
    site.object =
        new llvm::AllocaInst(type, 0, nullptr, llvm::Align(8), "popcorn.jump", function.getEntryBlock().begin());
    sites.allocas.push_back(site.object);
}

void fill_jump_object(const FunctionSites &sites, std::size_t index) {
    const Site &site = sites.sites[index];
    const llvm::DataLayout &layout = sites.function->getParent()->getDataLayout();
    llvm::IRBuilder<> build(site.call);
    auto store = [&](llvm::Value *value, unsigned word) {
        llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), site.object, word);
        build.CreateAlignedStore(value, at, llvm::Align(8));
    };
    store(build.getInt64(index), 0);
    store(build.getInt64(words_of(site, layout)), 1);
    for (std::size_t i = 0; i < site.words.size(); i++) store(site.words[i], kHeadWords + site.places[i]);
    llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), site.call->getArgOperand(0), kObjectWord);
    build.CreateAlignedStore(site.object, at, llvm::Align(8));
}

} // namespace hrunc::popcorn
