// The cgroup freezer, version 1 (kernel Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst) and version 2
// (cgroup-v2.rst, cgroup.freeze and cgroup.events), told apart by the files that the directory has.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::shim {

using Deadline = std::chrono::steady_clock::time_point;

inline constexpr std::size_t kMaxCgroupDepth = 32;
inline constexpr std::size_t kMaxCgroups = 4096;

class Freezer {
  public:
    // `directory`: the cgroup in version 2's hierarchy, or in the one that has version 1's freezer. ENOENT
    // (Error::system_errno) if the cgroup is gone.
    static Result<Freezer> open(const std::string &directory);

    // Whether somebody has asked this very cgroup to be frozen; not whether an outer one is.
    Result<bool> asked_to_freeze() const;
    // Asks and waits until every task is frozen; one that is stopped under ptrace counts as frozen.
    Result<void> freeze(Deadline deadline) const;
    Result<void> wait_until_frozen(Deadline deadline) const;
    // Asks and waits until tasks run. An error if they cannot because an outer cgroup is frozen.
    Result<void> thaw(Deadline deadline) const;

    // The processes of this cgroup and of those inside it; more than `limit` is an error.
    Result<std::vector<pid_t>> processes(std::size_t limit) const;

  private:
    Freezer(std::string path, Fd directory, bool unified)
        : path_(std::move(path)), directory_(std::move(directory)), unified_(unified) {}
    Result<void> ask(bool frozen) const;
    Result<bool> is_frozen() const;
    Result<void> collect(const Fd &directory, std::size_t depth, std::size_t limit, std::size_t &cgroups,
                         std::vector<pid_t> &found) const;

    std::string path_; // for messages
    Fd directory_;
    bool unified_; // version 2
};

} // namespace hrunc::shim
