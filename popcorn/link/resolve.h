// Which objects and archive members make up the program, and their bitcode as one module.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

#include "base/result.h"
#include "popcorn/link/options.h"

namespace hrunc::link {

// Finds the inputs, takes every object and of the archives each member that defines a symbol which is needed: by an
// object taken before or by `roots`. The order of archives counts only where two define one symbol: the first is
// taken. Symbols of `native` are defined elsewhere; for those nothing is taken.
//
// Fails with kInvalid for missing files and symbols, with kRefused for files that hold native code, naming file, symbol
// and what to do.
class Resolver {
  public:
    static Result<std::unique_ptr<Resolver>> create(const Options &options);
    virtual ~Resolver() = default;

    // `wanted` are symbols that are taken where some archive has them, and are not missed otherwise.
    virtual Result<std::unique_ptr<llvm::Module>> link(llvm::LLVMContext &context, const std::set<std::string> &roots,
                                                       const std::set<std::string> &native,
                                                       const std::set<std::string> &wanted) = 0;

    // Whether an archive member or object of the inputs defines it.
    virtual bool defines(const std::string &symbol) const = 0;
};

} // namespace hrunc::link
