#include <cstdio>
#include <string>
#include <vector>

#include "popcorn/link/codegen.h"
#include "popcorn/link/config.h"
#include "popcorn/link/options.h"
#include "popcorn/link/program.h"
#include "popcorn/link/site_table.h"
#include "popcorn/passes/capture.h"

namespace {

hrunc::Result<void> run(const std::vector<std::string> &arguments) {
    HRUNC_ASSIGN(hrunc::link::Options options, hrunc::link::parse_options(arguments));
    if (options.version) {
        std::printf("LLD %s (popcorn-ld %s; compatible with GNU linkers)\n", hrunc::link::kLlvmVersion,
                    hrunc::link::kVersion);
        return {};
    }
    hrunc::link::start_code_generators();
    hrunc::link::Steps steps;
    if (options.capture) {
        steps.passes.push_back([](llvm::Module &module) -> hrunc::Result<void> {
            HRUNC_ASSIGN([[maybe_unused]] auto figures, hrunc::popcorn::instrument(module, {}));
            return {};
        });
        steps.sites = hrunc::popcorn::make_site_tables;
    } else {
        steps.passes.push_back([](llvm::Module &module) -> hrunc::Result<void> {
            hrunc::popcorn::leave_uninstrumented(module);
            return {};
        });
    }
    return hrunc::link::link_program(options, steps);
}

} // namespace

int main(int argc, char **argv) {
    auto result = run({argv + 1, argv + argc});
    if (result) return 0;
    std::fprintf(stderr, "popcorn-ld: %s\n", result.error().text().c_str());
    return 1;
}
