// What popcorn-cc says of itself.
#pragma once

#include <string>

#include "base/result.h"

namespace hrunc::driver {

// Prints the answer to --version, -v, --help, -dumpmachine, -print-file-name= and so on, for one machine of two: this
// one's, since what configure scripts build they also run.
Result<void> answer(const std::string &query);

} // namespace hrunc::driver
