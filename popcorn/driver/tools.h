// The programs behind the driver.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::driver {

// The prefix that the driver is installed under.
std::string root();

// execv(). Exits with 127 where that fails, having said why.
[[noreturn]] void become(const std::vector<std::string> &command);

// LLVM's tool `name` (ar, nm, strip and so on), which takes the place of this process. strip gets no bitcode: there is
// nothing in it to be taken away before the link.
Result<void> run_llvm_tool(const std::string &name, const std::vector<std::string> &arguments);

} // namespace hrunc::driver
