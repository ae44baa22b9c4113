// The command line of hrunc's own verbs: CLI11, and the two ways in which a call can end before it begins.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::shim {

// Reads `arguments` into what `app` was told. A value is the exit code of a call that ends here: 0 after --help (on
// stdout), kUsageError after a mistake (named on stderr).
std::optional<int> parse_arguments(CLI::App &app, const std::vector<std::string> &arguments);

// "hrunc: TEXT" on stderr; gives the exit code 1.
int report(const Error &error);

} // namespace hrunc::shim
