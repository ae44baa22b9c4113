// hrunc's entry in Docker's daemon.json (dockerd(8)), put in and taken out again. Text in, text out: every other member
// stays, in its order, with the indentation that the text has.
//
//     "experimental": true                             docker checkpoint needs it
//     "runtimes": { "hrunc": { "path": PATH } }        the registration
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hrunc::shim {

inline constexpr std::size_t kDaemonJsonLimit = std::size_t{1} << 20; // bytes

struct DaemonJsonChange {
    std::string key;           // dotted: "runtimes.hrunc.path"
    std::string before, after; // JSON text; empty: not there
    bool operator==(const DaemonJsonChange &) const = default;
};

struct DaemonJsonEdit {
    std::string text; // as given where nothing changes; empty: there need be no file
    std::vector<DaemonJsonChange> changes;
};

struct Registration {
    std::string path;         // of hrunc
    bool experimental = true; // false: leave that member alone, dockerd is told by its command line
};

// `text` is the file's; empty where there is none. A member that hrunc has to set and that is of another type than
// dockerd wants is an error that names it.
Result<DaemonJsonEdit> register_runtime(std::string_view text, const Registration &registration);

// Takes out what register_runtime() put in, where `before` was the text that it was given, and gives `before` back to
// the byte if nothing else has changed. What others have changed since stays. ErrorCode::kRefused: hrunc is the
// default runtime, and dockerd would not start without it.
Result<DaemonJsonEdit> unregister_runtime(std::string_view text, std::string_view before,
                                          const Registration &registration);

} // namespace hrunc::shim
