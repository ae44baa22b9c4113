// Commands on another host, over the ssh that its user has set up.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "shim/capture.h"

namespace hrunc::shim {

// Runs `command`, as text for the shell there, by `ssh HOST`; ssh asks for passwords on the terminal, and its messages
// and those of the command go to stderr. `host` is ssh's [user@]HOST. An error if ssh cannot be started or cannot reach
// the host; what the command gives is in the result.
Result<Captured> run_on(const std::string &host, const std::string &command, std::size_t limit);

} // namespace hrunc::shim
