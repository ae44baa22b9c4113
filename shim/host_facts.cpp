#include "shim/host_facts.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include "base/fd.h"
#include "recode/host.h"
#include "shim/capture.h"
#include "shim/cgroups.h"
#include "shim/config.h"
#include "shim/criu_log.h"
#include "shim/docker.h"
#include "shim/program.h"
#include "shim/version.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxOutput = std::size_t{1} << 20; // bytes that a program may print
constexpr std::size_t kMaxMountInfo = std::size_t{16} << 20;

// criu.org, "Linux kernel": what a dump or restore of a container comes to need.
constexpr std::array kOptions{"CHECKPOINT_RESTORE",
                              "NAMESPACES",
                              "UTS_NS",
                              "IPC_NS",
                              "PID_NS",
                              "NET_NS",
                              "FHANDLE",
                              "EVENTFD",
                              "EPOLL",
                              "INOTIFY_USER",
                              "UNIX_DIAG",
                              "INET_DIAG",
                              "PACKET_DIAG",
                              "NETLINK_DIAG",
                              "INET_UDP_DIAG",
                              "NETFILTER_XT_MARK",
                              "SECCOMP_FILTER"};

// What an engine started as a service finds, and a user's shell may not.
void extend_path() {
    const char *path = std::getenv("PATH");
    std::string extended = path != nullptr ? std::string(path) + ":" : "";
    setenv("PATH", (extended + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").c_str(), 1);
}

std::string without_spaces_around(std::string_view text) {
    std::size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
    return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

// What follows `key` on the line that begins with it; the first line that does.
std::string on_line(std::string_view text, std::string_view key) {
    for (std::size_t at = 0; at < text.size();) {
        std::string_view line = text.substr(at, text.find('\n', at) - at);
        if (line.starts_with(key)) return without_spaces_around(line.substr(key.size()));
        at += line.size() + 1;
    }
    return "";
}

void look_at_kernel_options(HostFacts &facts) {
    std::string config;
    std::string boot = "/boot/config-" + facts.kernel;
    if (access("/proc/config.gz", R_OK) == 0) {
        std::optional<std::string> gzip = find_on_path("gzip");
        if (!gzip) return;
        Result<Captured> unpacked = capture(*gzip, {"gzip", "-dc", "/proc/config.gz"}, kMaxOutput, Stderr::kDropped);
        if (!unpacked || unpacked->exit_code != 0) return;
        config = std::move(unpacked->output);
        facts.kernel_config = "/proc/config.gz";
    } else if (Result<std::string> text = read_file(boot, kMaxOutput); text) {
        config = std::move(*text);
        facts.kernel_config = boot;
    } else {
        return;
    }
    for (const char *option : kOptions) {
        std::string name = "CONFIG_" + std::string(option);
        std::string value = on_line(config, name + "=");
        if (value != "y" && value != "m") facts.missing_options.push_back(name);
    }
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; (at = text.find_first_not_of(" \n", at)) != std::string_view::npos;) {
        std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
        words.emplace_back(text.substr(at, end - at));
        at = end;
    }
    std::ranges::sort(words);
    return words;
}

void look_at_cgroups(HostFacts &facts) {
    Result<std::string> mountinfo = read_file("/proc/self/mountinfo", kMaxMountInfo);
    if (!mountinfo) return;
    // runc takes version 2 where its hierarchy is the one at /sys/fs/cgroup.
    if (directory_of({"", "/"}, *mountinfo) == "/sys/fs/cgroup") {
        facts.cgroup_version = 2;
        Result<std::string> controllers = read_file("/sys/fs/cgroup/cgroup.controllers", 4096);
        if (controllers) facts.cgroup_controllers = words_of(*controllers);
        return;
    }
    for (const char *controller : {"cpu", "cpuset", "freezer", "memory", "pids"})
        if (!directory_of({controller, "/"}, *mountinfo).empty()) facts.cgroup_controllers.emplace_back(controller);
    facts.cgroup_version = facts.cgroup_controllers.empty() ? 0 : 1;
}

// Runs `program --version`; `key` is what stands before the version.
ProgramFacts look_at_program(const std::string &configured, std::string_view name, std::string_view key) {
    ProgramFacts program;
    Result<std::string> path = find_program(configured, name);
    if (!path) {
        program.problem = path.error().text();
        return program;
    }
    program.path = *path;
    Result<Captured> said = capture(*path, {std::string(name), "--version"}, kMaxOutput, Stderr::kDropped);
    if (!said)
        program.problem = said.error().text();
    else if (program.version = on_line(said->output, key); program.version.empty())
        program.problem = "\"" + *path + " --version\" names no version";
    return program;
}

// criu's first error that says something: programs that it starts end with errors of which it thinks nothing.
std::string why_criu_fails(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        std::string_view line = text.substr(at, text.find('\n', at) - at);
        at += line.size() + 1;
        std::string error = line.find(": exited, status=") == std::string_view::npos ? first_error(line) : "";
        if (!error.empty()) return error;
    }
    return "criu check failed";
}

void look_at_criu(const Config &config, HostFacts &facts) {
    facts.criu = look_at_program(config.criu, "criu", "Version:");
    bool iptables = config.network_lock == NetworkLock::kDefault || config.network_lock == NetworkLock::kIptables;
    facts.network_lock = !iptables || find_on_path("iptables-restore").has_value() ||
                         !configured("/etc/criu/runc.conf", "network-lock").empty();
    if (!facts.criu.problem.empty() || !facts.root) return;
    Result<Captured> said = capture(facts.criu.path, {"criu", "check"}, kMaxOutput, Stderr::kCaptured);
    facts.criu_check = !said ? said.error().text() : said->exit_code == 0 ? "good" : why_criu_fails(said->output);
}

void look_at_docker(HostFacts &facts) {
    facts.podman = find_on_path("podman").has_value();
    std::optional<std::string> docker = find_on_path("docker");
    if (!docker) return;
    facts.docker.path = *docker;
    Result<DockerInfo> info = docker_info(*docker);
    if (!info) {
        facts.docker.problem = info.error().text();
        return;
    }
    facts.docker.version = info->version;
    facts.experimental = info->experimental;
    facts.security = info->security;
    if (auto runtime = info->runtimes.find("hrunc"); runtime != info->runtimes.end()) facts.runtime = runtime->second;
    facts.runtime_there = !facts.runtime.empty() && access(facts.runtime.c_str(), X_OK) == 0;
}

void make_plain(HostFacts &facts) {
    for (std::string *text : {&facts.name, &facts.kernel, &facts.hrunc_path, &facts.configuration_problem,
                              &facts.criu_check, &facts.runtime})
        *text = plain(*text);
    for (ProgramFacts *program : {&facts.criu, &facts.runc, &facts.docker})
        for (std::string *text : {&program->path, &program->version, &program->problem}) *text = plain(*text);
    for (std::vector<std::string> *list : {&facts.cgroup_controllers, &facts.security})
        for (std::string &text : *list) text = plain(text);
}

} // namespace

Result<HostFacts> this_hosts_facts() {
    extend_path();
    HostFacts facts;
    HRUNC_ASSIGN(recode::Host host, recode::this_host());
    facts.hrunc = HRUNC_VERSION;
    HRUNC_ASSIGN(facts.hrunc_path, own_path());
    utsname names{};
    if (uname(&names) == 0) facts.name = names.nodename;
    facts.kernel = host.kernel_release;
    facts.page_size = host.page_size;
    facts.address_limit = host.address_limit;
    facts.root = geteuid() == 0;
    look_at_kernel_options(facts);
    look_at_cgroups(facts);
    facts.seccomp = access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0;
    Result<Config> config = load_config(config_file(), {});
    if (!config) facts.configuration_problem = config.error().text();
    Config used = config ? *config : Config();
    look_at_criu(used, facts);
    facts.runc = look_at_program(used.runc, "runc", "runc version");
    look_at_docker(facts);
    make_plain(facts);
    // Last, so that who asked knows that this was the time shortly before the answer came.
    auto now = std::chrono::system_clock::now().time_since_epoch();
    facts.time = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    return facts;
}

} // namespace hrunc::shim
