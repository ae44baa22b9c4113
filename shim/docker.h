// Docker on this host: what its daemon says of itself, and the daemon's process.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::shim {

inline constexpr const char *kDockerConfig = "/etc/docker/daemon.json";
inline constexpr const char *kDockerPidFile = "/var/run/docker.pid";

// What `docker info` prints.
struct DockerInfo {
    std::string version; // of the daemon
    bool experimental = false;
    std::map<std::string, std::string> runtimes; // name and path
    std::vector<std::string> security;           // "seccomp", "apparmor", ...: what containers get
};

// From `docker info --format '{{json .}}'`. An error where it names no daemon.
Result<DockerInfo> docker_info_from(std::string_view text);
// Runs `docker` (an absolute path). Without a daemon the error is in docker's words.
Result<DockerInfo> docker_info(const std::string &docker);

// A dockerd that runs.
class DockerDaemon {
  public:
    // By its pid file; nothing if that is missing or names no running dockerd.
    static Result<std::optional<DockerDaemon>> find(const std::string &pid_file);

    // Value of an option of its command line; "true" for a flag without one; nothing if it is not there.
    std::optional<std::string> option(std::string_view name) const;
    std::string config_file() const;
    Result<void> reload() const;         // SIGHUP
    Result<void> restart() const;        // by its systemd unit; an error that says what to do if it has none
    std::string restart_command() const; // the same for a person; empty if it has none

  private:
    DockerDaemon() = default;

    Fd process_; // pidfd
    std::vector<std::string> arguments_;
    std::string unit_; // "docker.service"; empty: not started by systemd
};

// What `dockerd --validate` says of a configuration file. Nothing is checked where dockerd is missing or too old.
Result<void> validate_docker_config(const std::string &file);

} // namespace hrunc::shim
