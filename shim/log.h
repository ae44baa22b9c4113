// The log of one call, in runc's own form: engines read the reason of a failure from it.
//
//     text, the default    time="2026-01-31T10:11:12Z" level=error msg="container does not exist"
//     JSON                 {"level":"error","msg":"container does not exist","time":"2026-01-31T10:11:12Z"}
//     text on a terminal   ERRO[0000] container does not exist
//
// Without a file the log goes to stderr. A debug log beside it, if configured, gets every line whatever its level.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shim/invocation.h"

namespace hrunc::shim {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogSettings {
    std::string file; // appended to, made with mode 0644; empty: stderr
    LogFormat format = LogFormat::kText;
    bool debug = false; // kDebug is logged too
    // stderr belongs to a container (restore): with a file nothing is written to stderr, and without one only the
    // error that ends the call.
    bool stderr_is_the_containers = false;
};

LogSettings log_settings(const Invocation &invocation);

// Until this is called, the log is text on stderr. The descriptor is close-on-exec.
Result<void> open_log(const LogSettings &settings);
// Opens the debug log: made with mode 0600, its directory must exist. An empty path is none.
Result<void> open_debug_log(const std::string &path);

void log(LogLevel level, std::string_view message);

// Logs the error that ends this call and, as runc does, prints its bare text to stderr when the log is a file. Gives
// the exit code 1.
int fatal(const Error &error);

// One line with its line feed, as it stands in a file.
std::string log_line(LogFormat format, LogLevel level, std::string_view message, std::time_t time);

} // namespace hrunc::shim
