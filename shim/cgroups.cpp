#include "shim/cgroups.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/fd.h"
#include "shim/freezer.h"
#include "shim/process.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxMembershipText = std::size_t{1} << 16;
constexpr std::size_t kMaxMountInfo = std::size_t{16} << 20;
constexpr int kKillAttempts = 200;
constexpr std::chrono::milliseconds kKillPause{10};

std::string_view next_word(std::string_view &rest, char separator) {
    std::string_view word = rest.substr(0, rest.find(separator));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    return word;
}

bool lists(std::string_view options, std::string_view option) {
    while (!options.empty())
        if (next_word(options, ',') == option) return true;
    return false;
}

struct CgroupMount {
    std::string_view root, point, type, options;
};

// A line of proc_pid_mountinfo(5): "36 35 0:32 ROOT POINT OPTIONS [TAGS] - TYPE SOURCE SUPER_OPTIONS".
CgroupMount mount_from(std::string_view line) {
    CgroupMount mount;
    for (int skipped = 0; skipped < 3; ++skipped) next_word(line, ' ');
    mount.root = next_word(line, ' ');
    mount.point = next_word(line, ' ');
    while (!line.empty() && next_word(line, ' ') != "-") {
    }
    mount.type = next_word(line, ' ');
    next_word(line, ' ');
    mount.options = next_word(line, ' ');
    return mount;
}

bool has_hierarchy(const CgroupMount &mount, std::string_view controllers) {
    if (controllers.empty()) return mount.type == "cgroup2";
    return mount.type == "cgroup" && lists(mount.options, controllers.substr(0, controllers.find(',')));
}

Result<std::string> read_mountinfo() {
    return read_file("/proc/self/mountinfo", kMaxMountInfo);
}

// The freezer's hierarchy, or version 2's where it has none.
std::string freezer_directory(const std::vector<Membership> &memberships, std::string_view mountinfo) {
    auto v1 = std::ranges::find(memberships, "freezer", &Membership::controllers);
    if (v1 == memberships.end()) v1 = std::ranges::find(memberships, "", &Membership::controllers);
    return v1 == memberships.end() ? "" : directory_of(*v1, mountinfo);
}

} // namespace

std::vector<Membership> parse_memberships(std::string_view text) {
    std::vector<Membership> memberships;
    while (!text.empty()) {
        std::string_view line = next_word(text, '\n');
        next_word(line, ':');
        std::string_view controllers = next_word(line, ':');
        if (line.starts_with('/')) memberships.push_back({std::string(controllers), std::string(line)});
    }
    return memberships;
}

std::string to_text(const std::vector<Membership> &memberships) {
    std::string text;
    for (const Membership &membership : memberships)
        text += "0:" + membership.controllers + ":" + membership.path + "\n";
    return text;
}

Result<std::vector<Membership>> memberships_of(pid_t pid) {
    HRUNC_ASSIGN(std::string text, read_file("/proc/" + std::to_string(pid) + "/cgroup", kMaxMembershipText));
    return parse_memberships(text);
}

std::string directory_of(const Membership &membership, std::string_view mountinfo) {
    while (!mountinfo.empty()) {
        CgroupMount mount = mount_from(next_word(mountinfo, '\n'));
        if (!has_hierarchy(mount, membership.controllers)) continue;
        std::string_view below = membership.path;
        if (mount.root != "/") {
            if (!below.starts_with(mount.root)) continue;
            below.remove_prefix(mount.root.size());
            if (!below.empty() && !below.starts_with('/')) continue;
        }
        return std::string(mount.point) + (below == "/" ? "" : std::string(below));
    }
    return "";
}

Result<void> join_cgroups_of(pid_t pid) {
    HRUNC_ASSIGN(std::vector<Membership> wanted, memberships_of(pid));
    HRUNC_ASSIGN(std::vector<Membership> own, memberships_of(getpid()));
    if (own == wanted) return {};
    HRUNC_ASSIGN(std::string mountinfo, read_mountinfo());
    for (const Membership &membership : wanted) {
        if (std::ranges::find(own, membership) != own.end()) continue;
        std::string directory = directory_of(membership, mountinfo);
        if (directory.empty()) continue;
        HRUNC_ASSIGN(Fd file, open_file(directory + "/cgroup.procs", O_WRONLY));
        HRUNC_TRY_IN(write_all(file, "0"), "\"" + directory + "/cgroup.procs\"");
    }
    return {};
}

bool is_alone_in(const std::vector<Membership> &memberships, pid_t pid) {
    Result<std::string> mountinfo = read_mountinfo();
    Result<std::vector<Membership>> own = memberships_of(getpid());
    if (!mountinfo || !own) return false;
    std::string directory = freezer_directory(memberships, *mountinfo);
    if (directory.empty() || directory == freezer_directory(*own, *mountinfo)) return false;
    Result<Freezer> freezer = Freezer::open(directory);
    if (!freezer) return false;
    Result<std::vector<pid_t>> processes = freezer->processes(kMaxProcesses);
    return processes && std::ranges::all_of(*processes, [&](pid_t other) { return other == pid; });
}

void kill_all_in(const std::vector<Membership> &memberships, bool remove) {
    Result<std::string> mountinfo = read_mountinfo();
    if (!mountinfo) return;
    Result<Freezer> freezer = Freezer::open(freezer_directory(memberships, *mountinfo));
    for (int attempt = 0; freezer && attempt < kKillAttempts; ++attempt) {
        Result<std::vector<pid_t>> processes = freezer->processes(kMaxProcesses);
        if (!processes || processes->empty()) break;
        for (pid_t pid : *processes) kill(pid, SIGKILL);
        // A frozen task of version 1's freezer dies only when it is thawed.
        static_cast<void>(freezer->thaw(std::chrono::steady_clock::now() + kKillPause).ok());
        std::this_thread::sleep_for(kKillPause);
    }
    if (!remove) return;
    for (const Membership &membership : memberships)
        if (membership.path != "/") rmdir(directory_of(membership, *mountinfo).c_str());
}

} // namespace hrunc::shim
