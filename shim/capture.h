// Running a program and reading what it prints.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::shim {

struct Captured {
    std::string output; // what it wrote to stdout
    int exit_code = 0;  // 128 + the signal's number where a signal ended it
};

enum class Stderr {
    kOurs,     // goes where this process's goes
    kCaptured, // stands in the output
    kDropped,
};

// Starts `path` with `argv` (argv[0] included), this process's environment and stdin, and waits for its end. More than
// `limit` bytes of output is an error.
Result<Captured> capture(const std::string &path, const std::vector<std::string> &argv, std::size_t limit,
                         Stderr errors = Stderr::kOurs);

} // namespace hrunc::shim
