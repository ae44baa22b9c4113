// What a host is and has, as far as it decides whether containers can be checkpointed, restored and moved there. Facts
// only: they are collected on the host and judged where the question was asked (findings.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"

namespace hrunc::shim {

inline constexpr std::size_t kMaxFactsText = std::size_t{1} << 20; // bytes of JSON
inline constexpr std::size_t kMaxFactText = 300;                   // bytes of one text in it; more is cut
inline constexpr std::size_t kMaxFactList = 256;                   // texts in one list

struct ProgramFacts {
    std::string path, version; // empty: unknown
    std::string problem;       // why it cannot be used; empty: it can
    bool operator==(const ProgramFacts &) const = default;
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which a person would tell them
struct HostFacts {
    std::string hrunc, hrunc_path; // version, where it runs from
    std::string name, kernel;      // uname -n, -r
    arch::Isa isa = arch::host();
    std::uint64_t page_size = 0, address_limit = 0; // bytes; as recode::Host
    std::uint64_t time = 0;                         // milliseconds since 1970
    bool root = false;                              // whether it was root who looked
    std::string configuration_problem;              // of hrunc.json
    std::string kernel_config;                      // file that told the kernel's options; empty: there is none
    std::vector<std::string> missing_options;       // of those that criu needs
    unsigned cgroup_version = 0;                    // where runc puts containers; 0: nowhere
    std::vector<std::string> cgroup_controllers;
    bool seccomp = false; // filters
    ProgramFacts criu, runc;
    std::string criu_check; // "good", or criu's first error; empty: not asked
    bool network_lock = false;
    ProgramFacts docker; // the client's path, the daemon's version
    bool podman = false;
    bool experimental = false;
    std::string runtime; // path that dockerd has for hrunc; empty: not registered
    bool runtime_there = false;
    std::vector<std::string> security; // of Docker's containers: "seccomp", "apparmor", ...

    bool operator==(const HostFacts &) const = default;
};

// Starts criu, runc and docker to ask them. Programs are looked for on PATH and where a service would find them.
Result<HostFacts> this_hosts_facts();

// The text is untrusted: sizes are checked, and its texts are printable afterwards.
std::string to_json(const HostFacts &facts, int indent = -1);
Result<HostFacts> host_facts_from_json(std::string_view text);

// Printable ASCII, everything else as "?", cut after kMaxFactText bytes.
std::string plain(std::string_view text);

} // namespace hrunc::shim
