// What an administrator can set: /etc/hrunc/hrunc.json, and per container the annotations org.hrunc.KEY of its
// config.json, which override the file. hrunc.json(5) describes every key; the names are the same in both places and
// all values are strings. A bad value is an error that names the file or annotation, the key, the value and what is
// allowed; an unknown key is an error too.
//
// Programs and paths come from the file only: an annotation is written by whoever starts a container, who on some
// engines is not root on the host, while hrunc is. For the same reason the file must belong to root (or to who runs
// hrunc) and be writable by nobody else.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"

namespace hrunc::shim {

// What to do at a checkpoint with a process that has no migratable binary.
enum class Unmigratable {
    kPass,   // dump it as it is: the checkpoint restores on the same ISA only
    kRefuse, // fail the checkpoint
};
enum class Tcp { kRefuse, kEstablished, kClose }; // connected TCP sockets; kRefuse is criu's own default
enum class NetworkLock { kDefault, kIptables, kNftables, kSkip };

struct Config {
    std::string runc = "runc"; // a path, or a name to look up on PATH
    std::string criu = "criu";
    std::chrono::milliseconds notify_timeout{10'000}; // from the request until every task is parked
    Unmigratable unmigratable = Unmigratable::kPass;
    Tcp tcp = Tcp::kRefuse;
    NetworkLock network_lock = NetworkLock::kDefault;
    std::optional<arch::Isa> target;              // for the popcorn ABI; unset: the other ISA than this host's
    std::string state_directory = "/run/hrunc";   // run directories and recoded images while an operation lasts
    std::string log_directory = "/var/log/hrunc"; // criu's logs of failed operations
    std::string debug_log;                        // a file for hrunc's own debug log; empty: none

    bool operator==(const Config &) const = default;
};

inline constexpr const char *kConfigFile = "/etc/hrunc/hrunc.json";

// kConfigFile, or the file that the environment variable HRUNC_CONFIG names with an absolute path. The environment is
// trusted as PATH is, on which runc and criu are found; it is ignored where the kernel says that it is not to be
// trusted (secure_getenv(3)).
std::string config_file();

// Only the key "runc" of the file, so that an ordinary call pays for nothing else and a mistake in another key does
// not keep a container from being stopped.
Result<std::string> load_runc(const std::string &file);

// A missing file gives the defaults. `annotations` are those of the container's config.json; only org.hrunc.* count.
Result<Config> load_config(const std::string &file, const std::map<std::string, std::string> &annotations);
// The same from the file's text; `file` is its name in errors.
Result<Config> config_from(const std::string &file, std::string_view text,
                           const std::map<std::string, std::string> &annotations);

// The keys of hrunc.json, and whether an annotation org.hrunc.KEY may override them.
struct ConfigKey {
    std::string_view name;
    bool per_container;
};
std::vector<ConfigKey> config_keys();

} // namespace hrunc::shim
