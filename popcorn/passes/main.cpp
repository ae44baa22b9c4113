// popcorn-capture IN OUT [--no-loop-polls] [--interval=N]: instruments a module by itself, for tests and for looking
// at.
#include "popcorn/passes/branches.h"
#include "popcorn/passes/capture.h"

#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IRReader/IRReader.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

#include <charconv>
#include <cstdio>
#include <string_view>

namespace {

using hrunc::Error;
using hrunc::ErrorCode;
using hrunc::Result;

Result<void> run(int count, char **arguments) {
    hrunc::popcorn::CaptureOptions options;
    std::vector<std::string> files;
    for (int i = 1; i < count; i++) {
        std::string_view argument = arguments[i];
        constexpr std::string_view kInterval = "--interval=";
        if (argument == "--no-loop-polls")
            options.loop_polls = false;
        else if (argument.starts_with(kInterval))
            std::from_chars(argument.data() + kInterval.size(), argument.data() + argument.size(),
                            options.poll_interval);
        else
            files.emplace_back(argument);
    }
    if (files.size() != 2)
        return Error(ErrorCode::kInvalid, "usage: popcorn-capture IN OUT [--no-loop-polls] [--interval=N]");
    llvm::LLVMContext context;
    llvm::SMDiagnostic diagnostic;
    auto module = llvm::parseIRFile(files[0], diagnostic, context);
    if (module == nullptr) return Error(ErrorCode::kInvalid, "'" + files[0] + "': " + diagnostic.getMessage().str());
    hrunc::passes::lower_computed_gotos(*module);
    HRUNC_ASSIGN_IN(auto figures, hrunc::popcorn::instrument(*module, options), "'" + files[0] + "'");
    std::error_code error;
    llvm::raw_fd_ostream out(files[1], error);
    if (error) return Error(ErrorCode::kSystem, "'" + files[1] + "': " + error.message());
    llvm::WriteBitcodeToFile(*module, out);
    std::fprintf(stderr, "functions %u skipped %u sites %u values %u polls %u\n", figures.functions, figures.skipped,
                 figures.sites, figures.values, figures.polls);
    return {};
}

} // namespace

int main(int count, char **arguments) {
    auto result = run(count, arguments);
    if (result) return 0;
    std::fprintf(stderr, "popcorn-capture: %s\n", result.error().text().c_str());
    return 1;
}
