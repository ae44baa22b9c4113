#include "shim/findings.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace hrunc::shim {

namespace {

using Status = Finding::Status;

constexpr ProgramVersion kOldestKernel{5, 6};
constexpr ProgramVersion kOldestCriu{3, 17};
constexpr ProgramVersion kOldestRunc{1, 1}, kNewestRunc{1, 3};
// Linux 6.16 refuses getsockopt(SO_PASSCRED) on internet sockets; criu 4.2 does not ask any more (CRIU issue 2705).
constexpr ProgramVersion kNoPasscredKernel{6, 16}, kNoPasscredCriu{4, 2};
// `docker start --checkpoint` fails with "bind-mount /proc/0/ns/net" before any runtime is called.
constexpr ProgramVersion kNoBridgeDocker{28, 0};
constexpr std::uint64_t kEnoughAddresses = std::uint64_t{1} << 47;
constexpr std::uint64_t kClockTolerance = 1000; // milliseconds

std::string joined(const std::vector<std::string> &words) {
    std::string text;
    for (const std::string &word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::size_t bits(std::uint64_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(std::bit_width(limit)) - 1;
}

bool older(std::string_view version, ProgramVersion than) {
    std::optional<ProgramVersion> parsed = version_from(version);
    return parsed && *parsed < than;
}

bool has(const std::vector<std::string> &list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

Finding kernel(const HostFacts &facts) {
    std::string text = "Linux " + facts.kernel;
    if (older(facts.kernel, kOldestKernel)) return {"kernel", Status::kLacking, text, "boot Linux 5.6 or later"};
    return {"kernel", Status::kOk, text, ""};
}

Finding kernel_options(const HostFacts &facts) {
    if (facts.kernel_config.empty())
        return {"kernel options", Status::kOk, "the kernel does not tell them; criu check counts", ""};
    if (facts.missing_options.empty())
        return {"kernel options", Status::kOk, "all that criu needs, by " + facts.kernel_config, ""};
    return {"kernel options", Status::kLacking, "not set: " + joined(facts.missing_options),
            "boot a kernel that has them"};
}

Finding page_size(const HostFacts &facts) {
    std::string text = std::to_string(facts.page_size) + " bytes";
    if (facts.page_size == 4096) return {"page size", Status::kOk, text, ""};
    return {"page size", Status::kWarning, text + ": containers move to hosts with the same only",
            "boot a kernel with pages of 4096 bytes"};
}

Finding addresses(const HostFacts &facts) {
    std::string text = std::to_string(bits(facts.address_limit)) + " bits";
    if (facts.address_limit >= kEnoughAddresses) return {"addresses", Status::kOk, text, ""};
    return {"addresses", Status::kLacking, text + ": processes from hosts with more do not fit",
            "boot a kernel with CONFIG_ARM64_VA_BITS=48"};
}

Finding cgroups(const HostFacts &facts) {
    if (facts.cgroup_version == 0)
        return {"cgroups", Status::kLacking, "none is mounted", "mount cgroup2 at /sys/fs/cgroup"};
    std::string text = "version " + std::to_string(facts.cgroup_version) + " with " + joined(facts.cgroup_controllers);
    // Version 2 freezes without a controller.
    if (facts.cgroup_version == 1 && !has(facts.cgroup_controllers, "freezer"))
        return {"cgroups", Status::kLacking, text + ": no freezer", "mount the freezer, or boot with cgroup version 2"};
    std::vector<std::string> missing;
    for (const char *controller : {"cpu", "memory", "pids"})
        if (!has(facts.cgroup_controllers, controller)) missing.emplace_back(controller);
    if (missing.empty()) return {"cgroups", Status::kOk, text, ""};
    return {"cgroups", Status::kWarning, text + "; containers have no limits of " + joined(missing),
            "enable them on the kernel's command line, such as cgroup_enable=memory"};
}

Finding seccomp(const HostFacts &facts) {
    if (facts.seccomp) return {"seccomp", Status::kOk, "the kernel has filters", ""};
    return {"seccomp", Status::kLacking, "the kernel has no filters", "boot a kernel with CONFIG_SECCOMP_FILTER"};
}

Finding configuration(const HostFacts &facts) {
    if (facts.configuration_problem.empty()) return {"configuration", Status::kOk, "hrunc " + facts.hrunc, ""};
    return {"configuration", Status::kLacking, facts.configuration_problem, "correct it, see hrunc.json(5)"};
}

Finding criu(const HostFacts &facts) {
    std::string remedy = "install criu 3.17 or later, or set the key \"criu\" of hrunc.json";
    if (!facts.criu.problem.empty()) return {"criu", Status::kLacking, facts.criu.problem, remedy};
    std::string text = facts.criu.version + ", " + facts.criu.path;
    if (older(facts.criu.version, kOldestCriu)) return {"criu", Status::kLacking, text + ": too old", remedy};
    if (older(facts.criu.version, kNoPasscredCriu) && version_from(facts.kernel) >= kNoPasscredKernel)
        return {"criu", Status::kWarning, text + ": dumps no internet sockets on Linux 6.16 or later",
                "install criu 4.2 or later"};
    return {"criu", Status::kOk, text, ""};
}

Finding criu_check(const HostFacts &facts) {
    if (facts.criu_check == "good") return {"criu check", Status::kOk, "good", ""};
    if (!facts.criu_check.empty())
        return {"criu check", Status::kLacking, facts.criu_check,
                "install a criu that knows this kernel, or boot one that it knows"};
    if (!facts.criu.problem.empty()) return {"criu check", Status::kWarning, "not made without criu", ""};
    return {"criu check", Status::kWarning, "not made: only root can", "run hrunc check as root"};
}

Finding network_lock(const HostFacts &facts) {
    if (facts.network_lock) return {"network lock", Status::kOk, "criu can block a container's network", ""};
    return {"network lock", Status::kLacking, "iptables is missing",
            "install iptables, or set \"network-lock\": \"nftables\" in hrunc.json"};
}

Finding runc(const HostFacts &facts) {
    if (!facts.runc.problem.empty())
        return {"runc", Status::kLacking, facts.runc.problem,
                "install runc 1.1 to 1.3, or set the key \"runc\" of hrunc.json"};
    std::string text = facts.runc.version + ", " + facts.runc.path;
    if (older(facts.runc.version, kOldestRunc))
        return {"runc", Status::kLacking, text + ": too old", "install runc 1.1 to 1.3"};
    if (version_from(facts.runc.version) > kNewestRunc)
        return {"runc", Status::kWarning, text + ": newer than hrunc was tested with", ""};
    return {"runc", Status::kOk, text, ""};
}

// What is said of Docker: its daemon, its "experimental", its runtime hrunc.
void judge_docker(const HostFacts &facts, std::vector<Finding> &findings) {
    if (facts.docker.path.empty() && facts.podman) {
        findings.push_back({"docker", Status::kWarning, "not installed; there is Podman", ""});
        return;
    }
    if (facts.docker.path.empty()) {
        findings.push_back({"docker", Status::kLacking, "not installed", "install Docker 20.10 to 26"});
        return;
    }
    if (!facts.docker.problem.empty()) {
        findings.push_back({"docker", Status::kLacking, facts.docker.problem,
                            facts.root ? "start dockerd" : "start dockerd, or run hrunc check as root"});
        return;
    }
    if (version_from(facts.docker.version) >= kNoBridgeDocker)
        findings.push_back({"docker", Status::kLacking,
                            facts.docker.version + ": Docker from 28 on restores no container of a bridge network",
                            "create containers that are to move with --network host or --network container:NAME, or "
                            "install Docker 26"});
    else
        findings.push_back({"docker", Status::kOk, facts.docker.version, ""});

    if (facts.experimental)
        findings.push_back({"experimental", Status::kOk, "dockerd has docker checkpoint", ""});
    else
        findings.push_back({"experimental", Status::kLacking, "dockerd has no docker checkpoint",
                            "run hrunc setup --restart, or restart dockerd if \"experimental\" is set"});

    if (facts.runtime.empty())
        findings.push_back({"runtime", Status::kLacking, "dockerd does not know hrunc", "run hrunc setup"});
    else if (!facts.runtime_there)
        findings.push_back({"runtime", Status::kLacking, "dockerd starts " + facts.runtime + ", which is not there",
                            "run hrunc setup"});
    else if (facts.runtime != facts.hrunc_path)
        findings.push_back({"runtime", Status::kWarning,
                            "dockerd starts " + facts.runtime + ", and this is " + facts.hrunc_path,
                            "run hrunc setup if this one is meant"});
    else
        findings.push_back({"runtime", Status::kOk, facts.runtime, ""});
}

std::string both(std::string_view here, std::string_view there) {
    return here == there ? std::string(here) + " on both" : std::string(here) + " and " + std::string(there);
}

// Of a program's version: different ones are worth a warning.
Finding versions(const char *name, const std::string &here, const std::string &there, const char *why) {
    std::string text = both(here.empty() ? "none" : here, there.empty() ? "none" : there);
    if (version_from(here) == version_from(there)) return {name, Status::kOk, text, ""};
    return {name, Status::kWarning, text + ": " + why, "install the same version on both"};
}

Finding pair_addresses(const HostFacts &here, const HostFacts &there) {
    std::string text =
        both(std::to_string(bits(here.address_limit)) + " bits", std::to_string(bits(there.address_limit)) + " bits");
    std::uint64_t least = std::min(here.address_limit, there.address_limit);
    if (least >= kEnoughAddresses || here.address_limit == there.address_limit)
        return {"addresses", Status::kOk, text, ""};
    return {"addresses", Status::kLacking, text + ": processes do not fit into the smaller one",
            "boot a kernel with CONFIG_ARM64_VA_BITS=48 there"};
}

Finding pair_security(const HostFacts &here, const HostFacts &there) {
    if (here.security == there.security)
        return {"security", Status::kOk, (here.security.empty() ? "nothing" : joined(here.security)) + " on both", ""};
    auto named = [](const HostFacts &facts) { return facts.security.empty() ? "nothing" : joined(facts.security); };
    std::string text = "containers get " + named(here) + " here and " + named(there) + " there";
    bool one_seccomp = has(here.security, "seccomp") != has(there.security, "seccomp");
    return {"security", one_seccomp ? Status::kLacking : Status::kWarning, text,
            "give both dockerd the same: seccomp, AppArmor and SELinux on both or on neither"};
}

// The answer left between `asked` and `answered`: what lies outside by more than the tolerance is a wrong clock.
Finding clocks(std::uint64_t there, std::uint64_t asked, std::uint64_t answered) {
    std::uint64_t behind = there < asked ? asked - there : 0, ahead = there > answered ? there - answered : 0;
    if (std::max(behind, ahead) <= kClockTolerance) return {"clocks", Status::kOk, "they agree", ""};
    std::string text =
        std::to_string(std::max(behind, ahead) / 1000) + " s " + (ahead > 0 ? "ahead" : "behind") + " there";
    return {"clocks", Status::kWarning, text + ": programs see time jump at a move", "set both by NTP"};
}

} // namespace

std::string_view name_of(Status status) {
    return status == Status::kOk ? "ok" : status == Status::kWarning ? "warning" : "lacking";
}

std::optional<ProgramVersion> version_from(std::string_view text) {
    ProgramVersion version;
    const char *end = text.data() + text.size();
    auto [after, error] = std::from_chars(text.data(), end, version.first);
    if (error != std::errc()) return std::nullopt;
    if (after != end && *after == '.') std::from_chars(after + 1, end, version.second);
    return version;
}

std::vector<Finding> judge(const HostFacts &facts) {
    std::vector<Finding> findings;
    for (auto *aspect : {kernel, kernel_options, page_size, addresses, cgroups, seccomp, configuration, criu,
                         criu_check, network_lock, runc})
        findings.push_back(aspect(facts));
    judge_docker(facts, findings);
    return findings;
}

std::vector<Finding> judge_pair(const HostFacts &here, const HostFacts &there, std::uint64_t asked,
                                std::uint64_t answered) {
    std::vector<Finding> findings;
    bool same_isa = here.isa == there.isa;
    findings.push_back({"ISAs", Status::kOk,
                        both(arch::name(here.isa), arch::name(there.isa)) +
                            (same_isa ? "" : ": programs that popcorn-cc has built move, others stay"),
                        ""});
    bool same_pages = here.page_size == there.page_size;
    findings.push_back({"page size", same_pages ? Status::kOk : Status::kLacking,
                        both(std::to_string(here.page_size), std::to_string(there.page_size)) + " bytes",
                        same_pages ? "" : "boot kernels with the same page size"});
    findings.push_back(pair_addresses(here, there));
    bool same_cgroups = here.cgroup_version == there.cgroup_version;
    findings.push_back(
        {"cgroups", same_cgroups ? Status::kOk : Status::kWarning,
         "version " + both(std::to_string(here.cgroup_version), std::to_string(there.cgroup_version)),
         same_cgroups ? "" : "boot both with the same, systemd.unified_cgroup_hierarchy=1 for version 2"});
    findings.push_back(
        versions("hrunc", here.hrunc, there.hrunc, "the older one may refuse what the newer has dumped"));
    findings.push_back(versions("criu", here.criu.version, there.criu.version,
                                "the older one may not restore what the newer has dumped"));
    findings.push_back(versions("docker", here.docker.version, there.docker.version, "not tested with each other"));
    findings.push_back(pair_security(here, there));
    findings.push_back(clocks(there.time, asked, answered));
    return findings;
}

} // namespace hrunc::shim
