// setjmp. Each call has an object of its function's frame: a jmp_buf, then what would be recorded at the call. The
// latter is written before the call; the former by the resume function, once the frame has been rebuilt and native
// contexts from before are void. The program's jmp_buf names the object, where longjmp finds its way
// (popcorn/runtime/jump.c).
#include "popcorn/passes/steps.h"

#include <llvm/ADT/StringSwitch.h>
#include <llvm/IR/IRBuilder.h>

namespace hrunc::popcorn {
namespace {

constexpr unsigned kBufferWords = 40;
constexpr unsigned kObjectWord = 31; // of the program's jmp_buf: the object's address

llvm::Value *word_of(llvm::IRBuilder<> &build, llvm::Value *object, unsigned word) {
    return build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), object, word);
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
    unsigned words = kBufferWords + words_of(site, function.getParent()->getDataLayout());
    auto *type = llvm::ArrayType::get(llvm::Type::getInt64Ty(function.getContext()), words);
    site.object =
        new llvm::AllocaInst(type, 0, nullptr, llvm::Align(8), "popcorn.jump", function.getEntryBlock().begin());
    sites.allocas.push_back(site.object);
}

void fill_jump_object(const FunctionSites &sites, std::size_t index) {
    const Site &site = sites.sites[index];
    llvm::IRBuilder<> build(site.call);
    for (std::size_t i = 0; i < site.words.size(); i++)
        build.CreateAlignedStore(site.words[i], word_of(build, site.object, kBufferWords + site.places[i]),
                                 llvm::Align(8));
    build.CreateAlignedStore(site.object, word_of(build, site.call->getArgOperand(0), kObjectWord), llvm::Align(8));
}

llvm::CallInst *set_jump_again(llvm::IRBuilder<> &build, llvm::Value *object) {
    llvm::FunctionCallee function =
        build.GetInsertBlock()->getModule()->getOrInsertFunction("setjmp", build.getInt32Ty(), build.getPtrTy());
    llvm::CallInst *call = build.CreateCall(function, {object});
    call->addFnAttr(llvm::Attribute::ReturnsTwice);
    return call;
}

void copy_jump_values(llvm::IRBuilder<> &build, llvm::Value *object, const Site &site, llvm::Value *to) {
    const unsigned words = words_of(site, build.GetInsertBlock()->getModule()->getDataLayout());
    for (unsigned i = 0; i < words; i++) {
        llvm::Value *word =
            build.CreateAlignedLoad(build.getInt64Ty(), word_of(build, object, kBufferWords + i), llvm::Align(8));
        build.CreateAlignedStore(word, word_of(build, to, i), llvm::Align(8));
    }
}

} // namespace hrunc::popcorn
