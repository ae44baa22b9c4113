// Running runc as a child that behaves as if hrunc were not there: signals reach it, job control works, and its exit
// status becomes hrunc's.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::shim {

struct RuncCall {
    std::string path;
    std::vector<std::string> argv;        // argv[0] included
    std::vector<std::string> environment; // NAME=VALUE
    bool capture = false;                 // stdout and stderr; otherwise they are hrunc's own
};

struct RuncEnd {
    int status = 0;            // as of waitpid(2)
    std::string output, error; // what was captured of stdout and stderr, at most kMaxCaptured bytes each
    bool succeeded() const { return status == 0; }
};

inline constexpr std::size_t kMaxCaptured = std::size_t{1} << 20;

// Starts runc and waits for its end. What others sent to this process goes on to runc; what a terminal sends to the
// whole foreground group has reached it already. When runc is stopped, this process stops with it.
Result<RuncEnd> run_runc(const RuncCall &call);

// Starts a program whose stdout becomes `output`, a file that is made with mode 0600. It is not waited for.
Result<pid_t> start_into_file(const std::string &path, const std::vector<std::string> &argv, const std::string &output);

// Ends this process as the child ended: with its exit code, or by the signal that ended it (then returns only if that
// signal did not end this one, with the code that a shell gives).
int end_like(int status);

} // namespace hrunc::shim
