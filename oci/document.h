// What hrunc reads of the two documents of a container: the bundle's config.json (OCI runtime specification 1.0 to 1.2)
// and runc's state.json (libcontainer/container.go, State; runc 1.1 to 1.3).
//
// Both come from an engine or from runc, but hold what a container's owner chose. Types are checked; members that
// hrunc does not know are left alone and kept in `document`. A missing member has its default.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "oci/json.h"

namespace hrunc::oci {

inline constexpr std::size_t kDocumentLimit = std::size_t{4} << 20; // bytes of config.json or state.json

using Annotations = std::map<std::string, std::string>;

struct Mount {
    std::string destination; // path in the container
    std::string type;
    std::string source; // of a bind mount: absolute, a relative one being relative to the bundle
    bool bind = false;
};

struct Namespace {
    std::string type; // "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"
    std::string path; // empty: a new one
};

struct Bundle {
    std::string directory;
    std::string root; // the container's root file system, absolute if `directory` is
    bool root_readonly = false;
    std::string hostname;
    std::vector<Mount> mounts;
    Annotations annotations;
    bool terminal = false;
    std::uint32_t uid = 0, gid = 0; // in the container
    bool no_new_privileges = false;
    std::string cgroups_path;
    std::vector<Namespace> namespaces;
    std::string seccomp; // linux.seccomp as JSON text; empty: the container has no profile
    Json document;       // the whole of it
};

// DIRECTORY/config.json. Errors quote the path and name the member.
Result<Bundle> read_bundle(const std::string &directory);
Result<Bundle> bundle_from(Json document, const std::string &directory);

struct State {
    std::string id;
    pid_t init_pid = 0;           // the container's first process, in the namespace of who ran runc
    std::uint64_t init_start = 0; // its start time in clock ticks, /proc/PID/stat field 22
    std::string root;
    // Directory of each cgroup by controller ("freezer", "memory", …); of cgroup v2 (alone or beside v1) by "".
    std::map<std::string, std::string> cgroup_paths;
    std::string bundle;      // as runc's label says
    Annotations annotations; // those of config.json as they were at creation; a name that holds "=" ends there
    Json document;           // the whole of it
};

// ROOT/ID/state.json. An id with a slash in it, "." or "..", is refused.
Result<State> read_state(const std::string &root, const std::string &id);
Result<State> state_from(Json document);

} // namespace hrunc::oci
