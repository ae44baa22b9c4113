// Whether the two executables can stand in for each other.
#pragma once

#include <set>
#include <string>

#include "base/result.h"

namespace hrunc::link {

// Fails with kInternal, naming the first difference, unless entry point, program headers, addresses of all symbols that
// both have (but for `native` ones, which only generated code calls), sizes of variables, and the bytes of .data,
// .init_array and of the program's own sections are equal.
Result<void> verify_pair(const std::string &x86_path, const std::string &arm_path, const std::set<std::string> &native);

} // namespace hrunc::link
