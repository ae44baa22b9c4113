#include "popcorn/link/program.h"

#include <filesystem>
#include <fstream>
#include <future>

#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/raw_ostream.h>

#include "popcorn/link/codegen.h"
#include "popcorn/link/executables.h"
#include "popcorn/link/prepare.h"
#include "popcorn/link/resolve.h"
#include "popcorn/link/symbols.h"
#include "popcorn/link/workspace.h"

namespace hrunc::link {
namespace {

class Program {
  public:
    Program(const Options &options, const Steps &steps, const Workspace &work)
        : options_(options), steps_(steps), work_(work) {}

    Result<void> run() {
        HRUNC_ASSIGN(resolver_, Resolver::create(options_));
        HRUNC_ASSIGN(runtime_, read_runtime(options_.native));
        for (size_t i = 0; i < 2; i++) {
            HRUNC_ASSIGN(machines_[i], machine_for(kIsas[i], std::max(1u, options_.level)));
        }
        roots_ = runtime_.needed;
        roots_.insert("main");
        roots_.insert("__popcorn_tls");
        roots_.insert(options_.undefined.begin(), options_.undefined.end());
        std::set<std::string> wanted;
        // Code generators may call what no one has called before: then once more, with that.
        for (int tries = 0; tries < 5; tries++) {
            HRUNC_TRY(build(wanted));
            std::string missing;
            bool again = false;
            HRUNC_ASSIGN(std::set<std::string> names, missing_symbols(pair_, runtime_, work_));
            for (const std::string &name : names) {
                if (resolver_->defines(name) && wanted.insert(name).second)
                    again = true;
                else
                    missing += "\nundefined reference to `" + name + "'";
            }
            if (again) continue;
            if (!missing.empty()) return Error(ErrorCode::kInvalid, missing.substr(1));
            return finish();
        }
        return Error(ErrorCode::kInternal, "the code generators ask for ever more functions");
    }

  private:
    Result<void> build(std::set<std::string> &wanted) {
        llvm::LLVMContext context;
        std::set<std::string> native = runtime_.defined;
        native.insert("__popcorn_tls");
        HRUNC_ASSIGN(auto module, resolver_->link(context, roots_without(native), native, wanted));
        // What they add may call more.
        for (bool more = true; more;) {
            more = false;
            for (const std::string &name : generated_calls(*module)) {
                const llvm::GlobalValue *value = module->getNamedValue(name);
                bool there = (value && !value->isDeclaration()) || native.contains(name) || !resolver_->defines(name);
                more |= !there && wanted.insert(name).second;
            }
            if (!more) continue;
            HRUNC_ASSIGN(module, resolver_->link(context, roots_without(native), native, wanted));
        }
        HRUNC_TRY(neutralise(*module));
        save(*module, "linked");
        HRUNC_TRY(optimise(*module, *machines_[0], roots_, options_.level));
        save(*module, "optimised");
        HRUNC_TRY(lower(*module, roots_));
        save(*module, "lowered");
        for (const NeutralPass &pass : steps_.passes) HRUNC_TRY(pass(*module));
        if (!steps_.passes.empty()) HRUNC_TRY(verify_module(*module, "instrumenting"));
        save(*module, "neutral");
        HRUNC_TRY(check_layouts(*module, *machines_[0], *machines_[1]));
        llvm::SmallString<0> bitcode;
        llvm::raw_svector_ostream stream(bitcode);
        llvm::WriteBitcodeToFile(*module, stream);
        module.reset();
        for (size_t i = 0; i < 2; i++) pair_[i] = work_.path(std::string("program-") + kIsas[i].name + ".o");
        return generate_both(bitcode);
    }

    Result<void> generate_both(llvm::StringRef bitcode) const {
        auto one = [&](size_t i) -> Result<void> {
            HRUNC_TRY_IN(generate(bitcode, *machines_[i], pair_[i]), kIsas[i].name);
            return {};
        };
        auto other = std::async(std::launch::async, one, 1);
        Result<void> first = one(0), second = other.get();
        HRUNC_TRY(first);
        return second;
    }

    std::set<std::string> roots_without(const std::set<std::string> &native) const {
        std::set<std::string> names;
        for (const std::string &name : roots_)
            if (!native.contains(name)) names.insert(name);
        return names;
    }

    void save(const llvm::Module &module, const std::string &name) const {
        if (options_.keep.empty()) return;
        std::error_code problem;
        llvm::raw_fd_ostream stream(options_.keep + "/" + name + ".bc", problem);
        if (!problem) llvm::WriteBitcodeToFile(module, stream);
    }

    Result<void> finish() { return link_executables(options_, steps_.sites, runtime_, pair_, work_); }

    const Options &options_;
    const Steps &steps_;
    const Workspace &work_;
    std::unique_ptr<Resolver> resolver_;
    Runtime runtime_;
    std::array<std::unique_ptr<llvm::TargetMachine>, 2> machines_;
    std::set<std::string> roots_;
    std::array<std::string, 2> pair_;
};

} // namespace

Result<void> link_program(const Options &options, const Steps &steps) {
    HRUNC_ASSIGN(Workspace work, Workspace::create(options.keep));
    return Program(options, steps, work).run();
}

} // namespace hrunc::link
