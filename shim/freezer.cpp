#include "shim/freezer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <thread>

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxControlFile = 4096;
constexpr std::size_t kMaxProcsFile = std::size_t{1} << 20;
constexpr std::chrono::microseconds kPoll{500};
// Version 1 can stay at FREEZING when a task forks at the wrong moment; a short thaw gets it out, as runc does it too.
constexpr int kPollsUntilThaw = 100;

std::string cgroup(const std::string &path) {
    return "cgroup \"" + path + "\"";
}

Result<std::string> read_control(const Fd &directory, const std::string &name, std::size_t limit) {
    HRUNC_ASSIGN(Fd file, open_at(directory, name, O_RDONLY));
    return read_to_end(file, limit);
}

} // namespace

Result<Freezer> Freezer::open(const std::string &directory) {
    auto opened = open_file(directory, O_RDONLY | O_DIRECTORY);
    if (!opened) return std::move(opened).error().in("cgroup");
    Fd fd = std::move(opened).value();
    for (bool unified : {true, false})
        if (faccessat(fd.get(), unified ? "cgroup.freeze" : "freezer.state", F_OK, 0) == 0)
            return Freezer(directory, std::move(fd), unified);
    return Error(ErrorCode::kInvalid, cgroup(directory) + ": has neither cgroup.freeze nor freezer.state");
}

Result<bool> Freezer::asked_to_freeze() const {
    HRUNC_ASSIGN_IN(std::string text,
                    read_control(directory_, unified_ ? "cgroup.freeze" : "freezer.self_freezing", kMaxControlFile),
                    cgroup(path_));
    return text.starts_with("1");
}

Result<void> Freezer::ask(bool frozen) const {
    const char *version1 = frozen ? "FROZEN" : "THAWED";
    const char *version2 = frozen ? "1" : "0";
    HRUNC_ASSIGN_IN(Fd file, open_at(directory_, unified_ ? "cgroup.freeze" : "freezer.state", O_WRONLY),
                    cgroup(path_));
    HRUNC_TRY_IN(write_all(file, unified_ ? version2 : version1), cgroup(path_));
    return {};
}

Result<bool> Freezer::is_frozen() const {
    HRUNC_ASSIGN_IN(std::string text,
                    read_control(directory_, unified_ ? "cgroup.events" : "freezer.state", kMaxControlFile),
                    cgroup(path_));
    return unified_ ? text.find("frozen 1") != std::string::npos : text.starts_with("FROZEN");
}

Result<void> Freezer::freeze(Deadline deadline) const {
    HRUNC_TRY(ask(true));
    return wait_until_frozen(deadline);
}

Result<void> Freezer::wait_until_frozen(Deadline deadline) const {
    for (int polls = 1;; ++polls) {
        HRUNC_ASSIGN(bool frozen, is_frozen());
        if (frozen) return {};
        if (std::chrono::steady_clock::now() >= deadline)
            return Error(ErrorCode::kTimeout, cgroup(path_) + ": not all of its tasks froze in time");
        if (!unified_ && polls % kPollsUntilThaw == 0) {
            HRUNC_TRY(ask(false));
            HRUNC_TRY(ask(true));
        }
        std::this_thread::sleep_for(kPoll);
    }
}

Result<void> Freezer::thaw(Deadline deadline) const {
    HRUNC_TRY(ask(false));
    for (;;) {
        HRUNC_ASSIGN(bool frozen, is_frozen());
        if (!frozen) return {};
        if (std::chrono::steady_clock::now() >= deadline)
            return Error(ErrorCode::kTimeout, cgroup(path_) + ": stays frozen; is an outer cgroup frozen?");
        std::this_thread::sleep_for(kPoll);
    }
}

Result<std::vector<pid_t>> Freezer::processes(std::size_t limit) const {
    std::vector<pid_t> found;
    std::size_t cgroups = 0;
    HRUNC_TRY_IN(collect(directory_, 0, limit, cgroups, found), cgroup(path_));
    return found;
}

Result<void> Freezer::collect(const Fd &directory, std::size_t depth, std::size_t limit, std::size_t &cgroups,
                              std::vector<pid_t> &found) const {
    if (depth > kMaxCgroupDepth)
        return Error(ErrorCode::kRefused, "nested deeper than " + std::to_string(kMaxCgroupDepth));
    if (++cgroups > kMaxCgroups)
        return Error(ErrorCode::kRefused, "holds more than " + std::to_string(kMaxCgroups) + " cgroups");
    Result<std::string> listed = read_control(directory, "cgroup.procs", kMaxProcsFile);
    // EOPNOTSUPP: a threaded cgroup, whose processes the domain above it lists.
    if (!listed && listed.error().system_errno() != EOPNOTSUPP) return std::move(listed).error();
    const std::string text = listed ? *listed : "";
    for (const char *at = text.data(), *end = at + text.size(); at < end;) {
        pid_t pid = 0;
        auto [next, error] = std::from_chars(at, end, pid);
        if (error == std::errc() && pid > 0) found.push_back(pid);
        at = next + 1;
    }
    if (found.size() > limit) return Error(ErrorCode::kRefused, "more than " + std::to_string(limit) + " processes");

    HRUNC_ASSIGN(Fd listing, open_at(directory, ".", O_RDONLY | O_DIRECTORY));
    DIR *entries = fdopendir(listing.release());
    if (entries == nullptr) return Error::system("list");
    Result<void> done;
    while (const dirent *entry = readdir(entries)) {
        std::string name = entry->d_name;
        if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
        auto inner = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        // One that was removed meanwhile has no tasks.
        if (inner) done = collect(*inner, depth + 1, limit, cgroups, found);
        if (!done && done.error().system_errno() == ENODEV) done = {};
        if (!done) break;
    }
    closedir(entries);
    return done;
}

} // namespace hrunc::shim
