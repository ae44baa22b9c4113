#include "popcorn/link/symbols.h"

#include <algorithm>
#include <array>

#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/RuntimeLibcalls.h>
#include <llvm/TargetParser/Triple.h>

namespace hrunc::link {
namespace {

// Of double, as the library names it: as the intrinsic, but for these.
std::string library_name(llvm::Intrinsic::ID intrinsic) {
    switch (intrinsic) {
    case llvm::Intrinsic::fmuladd:
        return "fma";
    case llvm::Intrinsic::minnum:
        return "fmin";
    case llvm::Intrinsic::maxnum:
        return "fmax";
    default:
        return llvm::Intrinsic::getBaseName(intrinsic).drop_front(sizeof "llvm." - 1).str();
    }
}

constexpr std::array kLinkerSymbols = {
    "__init_array_start",
    "__init_array_end",
    "__fini_array_start",
    "__fini_array_end",
    "__preinit_array_start",
    "__preinit_array_end",
    "__ehdr_start",
    "__executable_start",
    "_end",
    "end",
    "_etext",
    "etext",
    "_edata",
    "edata",
    "__bss_start",
    "__popcorn_sites",
    "__popcorn_resume_functions",
    "__popcorn_sites_end",
    "__popcorn_text",
    "__popcorn_text_end",
};

// The forms for float, double and long double, of which the optimiser makes one out of another.
void add_forms(std::set<std::string> &names, const std::string &function, const llvm::Type *type) {
    names.insert(function);
    names.insert(function + "f");
    if (type->getScalarType()->isFP128Ty()) names.insert(function + "l");
}

} // namespace

bool is_linker_symbol(std::string_view name) {
    return name.starts_with("__start_") || name.starts_with("__stop_") ||
           std::find(kLinkerSymbols.begin(), kLinkerSymbols.end(), name) != kLinkerSymbols.end();
}

std::set<std::string> generated_calls(const llvm::Module &module) {
    std::set<std::string> names = {"memcpy", "memmove", "memset", "memcmp"};
    for (const llvm::Function &function : module) {
        for (const llvm::Instruction &instruction : llvm::instructions(function)) {
            if (instruction.getOpcode() == llvm::Instruction::FRem) add_forms(names, "fmod", instruction.getType());
            const auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
            if (!call) continue;
            std::string name = library_name(call->getIntrinsicID());
            if (call->arg_size() > 0 && runtime_calls().contains(name))
                add_forms(names, name, call->getArgOperand(0)->getType());
        }
    }
    return names;
}

const std::set<std::string> &runtime_calls() {
    static const std::set<std::string> names = [] {
        std::set<std::string> all;
        for (const char *triple : {"x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"}) {
            llvm::RTLIB::RuntimeLibcallsInfo calls{llvm::Triple(triple)};
            for (const char *name : calls.getLibcallNames())
                if (name) all.insert(name);
        }
        return all;
    }();
    return names;
}

} // namespace hrunc::link
