// What criu said of its failure, for the one line that a person gets to see.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hrunc::shim {

inline constexpr std::size_t kMaxCriuLog = std::size_t{64} << 20; // bytes of a log that are read or copied
inline constexpr std::size_t kKeptLogs = 32;                      // copies in the log directory; the oldest go first

// `(criu/files.c:1234): what` of the first line "(00.000001) Error (criu/files.c:1234): what"; empty where there is
// none. Errors that criu itself ignores do not count.
std::string first_error(std::string_view log);

// A value of a CRIU configuration file (criu(8), CONFIGURATION FILES), as of "log-file" in /etc/criu/runc.conf, which
// has the last word over what runc asks for; empty where the key or the file is missing.
std::string configured(const std::string &file, std::string_view key);

// Copies `log` into `directory` (made with mode 0700 where it is missing) as NAME, mode 0600, and removes the oldest
// copies above kKeptLogs. Gives the copy's path.
Result<std::string> keep_log(const std::string &log, const std::string &directory, const std::string &name);

} // namespace hrunc::shim
