// Finding the programs that hrunc stands in front of, runc and criu, and others.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hrunc::shim {

// The absolute path of `program`, which is an absolute path or a name to look up on PATH, as the configuration's `key`
// says. Never hrunc itself under another name: on PATH it is skipped (hrunc is what runc finds as `criu`), as a path
// it is an error. Errors name program, key, file and where was looked.
Result<std::string> find_program(const std::string &program, std::string_view key);

// The absolute path of the program of that name in the absolute directories of PATH; never hrunc itself.
std::optional<std::string> find_on_path(const std::string &name);

// This hrunc's absolute path. An error if the file that runs is not there any more.
Result<std::string> own_path();

} // namespace hrunc::shim
