// Where processes stand in cgroups; cgroup v1, v2 and both side by side (cgroups(7)).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hrunc::shim {

struct Membership {
    std::string controllers; // as in /proc/PID/cgroup: "freezer", "cpu,cpuacct", "name=systemd"; "" for cgroup v2
    std::string path;        // below the hierarchy's root
    bool operator==(const Membership &) const = default;
};

// The text of /proc/PID/cgroup.
std::vector<Membership> parse_memberships(std::string_view text);
Result<std::vector<Membership>> memberships_of(pid_t pid);
std::string to_text(const std::vector<Membership> &memberships); // for parse_memberships()

// Directory of a cgroup as this process sees it mounted; empty where its hierarchy is not mounted. `mountinfo` is the
// text of /proc/self/mountinfo.
std::string directory_of(const Membership &membership, std::string_view mountinfo);

// Moves this process to where `pid` stands, in every hierarchy in which they differ.
Result<void> join_cgroups_of(pid_t pid);

// Whether `memberships` are a cgroup of its own: another than the caller's, with no process in it but `pid`.
bool is_alone_in(const std::vector<Membership> &memberships, pid_t pid);

// Kills every process there and waits, within bounds, until there is none. Then, with `remove`, removes the cgroup.
void kill_all_in(const std::vector<Membership> &memberships, bool remove);

} // namespace hrunc::shim
