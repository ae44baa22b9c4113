#include "shim/docker.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "oci/fields.h"
#include "shim/capture.h"
#include "shim/cgroups.h"
#include "shim/process.h"
#include "shim/program.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxInfo = std::size_t{4} << 20; // bytes that `docker info` may print
constexpr std::size_t kMaxCommandLine = std::size_t{2} << 20;
constexpr std::size_t kMaxSaying = std::size_t{64} << 10;

// Where a program's error stands, behind its warnings.
std::string last_line(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
}

// "name=seccomp,profile=builtin": what stands behind "name=".
Result<std::vector<std::string>> security_options(const oci::Json &json) {
    std::vector<std::string> names;
    HRUNC_ASSIGN(std::vector<const oci::Json *> options, oci::list_at(json, "SecurityOptions"));
    constexpr std::string_view kName = "name=";
    for (const oci::Json *option : options) {
        if (!option->is_string()) continue;
        auto text = option->get<std::string>();
        if (text.starts_with(kName)) names.push_back(text.substr(kName.size(), text.find(',') - kName.size()));
    }
    std::ranges::sort(names);
    return names;
}

Result<std::vector<std::string>> command_line_of(pid_t pid) {
    HRUNC_ASSIGN(std::string text, read_file("/proc/" + std::to_string(pid) + "/cmdline", kMaxCommandLine));
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size(); at += words.back().size() + 1)
        words.push_back(text.substr(at, text.find('\0', at) - at));
    return words;
}

// systemd gives each unit a cgroup of its name.
std::string unit_of(pid_t pid) {
    Result<std::vector<Membership>> memberships = memberships_of(pid);
    if (!memberships || access("/run/systemd/system", F_OK) != 0) return "";
    for (const Membership &membership : *memberships) {
        if (!membership.controllers.empty() && membership.controllers != "name=systemd") continue;
        std::string name = membership.path.substr(membership.path.rfind('/') + 1);
        if (name.ends_with(".service")) return name;
    }
    return "";
}

} // namespace

Result<DockerInfo> docker_info_from(std::string_view text) {
    HRUNC_ASSIGN_IN(oci::Json json, oci::parse_json(text), "docker info");
    DockerInfo info;
    HRUNC_ASSIGN_IN(info.version, oci::text_at(json, "ServerVersion"), "docker info");
    if (info.version.empty()) return Error(ErrorCode::kPeer, "docker info: names no version");
    HRUNC_ASSIGN_IN(info.experimental, oci::flag_at(json, "ExperimentalBuild"), "docker info");
    HRUNC_ASSIGN_IN(info.security, security_options(json), "docker info");
    HRUNC_ASSIGN_IN(const oci::Json *runtimes, oci::find_member(json, "Runtimes"), "docker info");
    if (runtimes != nullptr && runtimes->is_object())
        for (const auto &[name, runtime] : runtimes->items()) {
            HRUNC_ASSIGN_IN(info.runtimes[name], oci::text_at(runtime, "path"), "docker info: \"Runtimes\"");
        }
    return info;
}

Result<DockerInfo> docker_info(const std::string &docker) {
    HRUNC_ASSIGN(Captured said,
                 capture(docker, {"docker", "info", "--format", "{{json .}}"}, kMaxInfo, Stderr::kDropped));
    Result<DockerInfo> info = docker_info_from(said.output);
    if (info) return info;
    // Without a daemon it prints a document all the same, and the reason elsewhere.
    HRUNC_ASSIGN(said,
                 capture(docker, {"docker", "info", "--format", "{{.ServerVersion}}"}, kMaxSaying, Stderr::kCaptured));
    return said.exit_code != 0 ? Error(ErrorCode::kPeer, last_line(said.output)) : std::move(info).error();
}

Result<std::optional<DockerDaemon>> DockerDaemon::find(const std::string &pid_file) {
    Result<std::string> text = read_file(pid_file, 64);
    const std::string digits = text ? *text : "";
    pid_t pid = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), pid).ec != std::errc() || pid <= 0)
        return std::optional<DockerDaemon>();
    DockerDaemon daemon;
    daemon.process_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!daemon.process_) return std::optional<DockerDaemon>();
    // After a crash the file can name somebody else's process.
    HRUNC_ASSIGN(std::optional<Process> process, read_process(pid));
    if (!process || process->comm != "dockerd") return std::optional<DockerDaemon>();
    HRUNC_ASSIGN(daemon.arguments_, command_line_of(pid));
    daemon.unit_ = unit_of(pid);
    return std::optional<DockerDaemon>(std::move(daemon));
}

std::optional<std::string> DockerDaemon::option(std::string_view name) const {
    std::string whole = "--" + std::string(name);
    for (std::size_t at = 1; at < arguments_.size(); ++at) {
        const std::string &word = arguments_[at];
        if (word.starts_with(whole + "=")) return word.substr(whole.size() + 1);
        if (word != whole) continue;
        bool has_value = at + 1 < arguments_.size() && !arguments_[at + 1].starts_with('-');
        return has_value ? arguments_[at + 1] : "true";
    }
    return std::nullopt;
}

std::string DockerDaemon::config_file() const {
    return option("config-file").value_or(kDockerConfig);
}

Result<void> DockerDaemon::reload() const {
    if (syscall(SYS_pidfd_send_signal, process_.get(), SIGHUP, nullptr, 0) != 0)
        return Error::system("send SIGHUP to dockerd");
    return {};
}

Result<void> DockerDaemon::restart() const {
    std::optional<std::string> systemctl = find_on_path("systemctl");
    if (unit_.empty() || !systemctl)
        return Error(ErrorCode::kRefused, "dockerd was not started by systemd: restart it as it was started");
    HRUNC_ASSIGN(Captured said, capture(*systemctl, {"systemctl", "restart", unit_}, kMaxSaying, Stderr::kCaptured));
    if (said.exit_code != 0)
        return Error(ErrorCode::kPeer, "systemctl restart " + unit_ + ": " + last_line(said.output));
    return {};
}

std::string DockerDaemon::restart_command() const {
    return unit_.empty() ? "" : "systemctl restart " + unit_;
}

Result<void> validate_docker_config(const std::string &file) {
    std::optional<std::string> dockerd = find_on_path("dockerd");
    if (!dockerd) return {};
    HRUNC_ASSIGN(Captured said,
                 capture(*dockerd, {"dockerd", "--validate", "--config-file", file}, kMaxSaying, Stderr::kCaptured));
    // Docker 20.10 has no such option.
    if (said.exit_code == 0 || said.output.find("unknown flag") != std::string::npos) return {};
    return Error(ErrorCode::kPeer, "dockerd: " + last_line(said.output));
}

} // namespace hrunc::shim
