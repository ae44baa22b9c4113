#include "popcorn/link/symbols.h"

#include <algorithm>
#include <array>

#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/RuntimeLibcalls.h>
#include <llvm/TargetParser/Triple.h>

namespace hrunc::link {
namespace {

using llvm::Intrinsic::ID;

struct Call {
    ID intrinsic;
    const char *function; // of double; its float and long double forms end in f and l
};
constexpr std::array kCalls = {
    Call{llvm::Intrinsic::ceil, "ceil"},
    Call{llvm::Intrinsic::floor, "floor"},
    Call{llvm::Intrinsic::trunc, "trunc"},
    Call{llvm::Intrinsic::round, "round"},
    Call{llvm::Intrinsic::rint, "rint"},
    Call{llvm::Intrinsic::nearbyint, "nearbyint"},
    Call{llvm::Intrinsic::roundeven, "roundeven"},
    Call{llvm::Intrinsic::lrint, "lrint"},
    Call{llvm::Intrinsic::llrint, "llrint"},
    Call{llvm::Intrinsic::lround, "lround"},
    Call{llvm::Intrinsic::llround, "llround"},
    Call{llvm::Intrinsic::fma, "fma"},
    Call{llvm::Intrinsic::sqrt, "sqrt"},
    Call{llvm::Intrinsic::sin, "sin"},
    Call{llvm::Intrinsic::cos, "cos"},
    Call{llvm::Intrinsic::tan, "tan"},
    Call{llvm::Intrinsic::exp, "exp"},
    Call{llvm::Intrinsic::exp2, "exp2"},
    Call{llvm::Intrinsic::exp10, "exp10"},
    Call{llvm::Intrinsic::log, "log"},
    Call{llvm::Intrinsic::log2, "log2"},
    Call{llvm::Intrinsic::log10, "log10"},
    Call{llvm::Intrinsic::pow, "pow"},
    Call{llvm::Intrinsic::minnum, "fmin"},
    Call{llvm::Intrinsic::maxnum, "fmax"},
    Call{llvm::Intrinsic::ldexp, "ldexp"},
    Call{llvm::Intrinsic::frexp, "frexp"},
};

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
            if (call->getIntrinsicID() == llvm::Intrinsic::fmuladd) add_forms(names, "fma", call->getType());
            for (const Call &row : kCalls)
                if (row.intrinsic == call->getIntrinsicID())
                    add_forms(names, row.function, call->arg_begin()->get()->getType());
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
