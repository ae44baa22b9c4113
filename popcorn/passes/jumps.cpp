// setjmp. The site of such a call is never found as a return address: what it would record is written into an object of
// the frame before the call, where longjmp finds it after the frame has been rebuilt (popcorn/runtime/jump.c).
#include "popcorn/passes/steps.h"

#include <llvm/ADT/StringSwitch.h>
#include <llvm/IR/IRBuilder.h>

namespace hrunc::popcorn {
namespace {

constexpr unsigned kHeadWords = 2;   // site, number of words that follow
constexpr unsigned kObjectWord = 31; // of the jmp_buf: the object's address

unsigned value_words(const Site &site, const llvm::DataLayout &layout) {
    unsigned words = 0;
    for (const llvm::Value *value : site.words) words += words_of(value->getType(), layout);
    return words;
}

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
    unsigned words = kHeadWords + value_words(site, function.getParent()->getDataLayout());
    auto *type = llvm::ArrayType::get(llvm::Type::getInt64Ty(function.getContext()), words);
    site.object =
        new llvm::AllocaInst(type, 0, nullptr, llvm::Align(8), "popcorn.jump", function.getEntryBlock().begin());
    sites.allocas.push_back(site.object);
}

void fill_jump_object(const FunctionSites &sites, std::size_t index) {
    const Site &site = sites.sites[index];
    const llvm::DataLayout &layout = sites.function->getParent()->getDataLayout();
    llvm::IRBuilder<> build(site.call);
    unsigned word = 0;
    auto store = [&](llvm::Value *value) {
        llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), site.object, word);
        build.CreateAlignedStore(value, at, llvm::Align(8));
        word += words_of(value->getType(), layout);
    };
    store(build.getInt64(index));
    store(build.getInt64(value_words(site, layout)));
    for (llvm::Value *value : site.words) store(value);
    llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), site.call->getArgOperand(0), kObjectWord);
    build.CreateAlignedStore(site.object, at, llvm::Align(8));
}

} // namespace hrunc::popcorn
