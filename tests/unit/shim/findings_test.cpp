#include "shim/findings.h"

#include <gmock/gmock.h>

#include "oci/json.h"

namespace hrunc::shim {
namespace {

// A host that lacks nothing.
HostFacts good() {
    HostFacts facts;
    facts.hrunc = "0.1.0";
    facts.hrunc_path = facts.runtime = "/usr/local/bin/hrunc";
    facts.name = "pc";
    facts.kernel = "6.12.41+deb13-amd64";
    facts.isa = arch::Isa::kX8664;
    facts.page_size = 4096;
    facts.address_limit = std::uint64_t{1} << 47;
    facts.time = 1'000'000;
    facts.root = true;
    facts.kernel_config = "/boot/config-6.12.41+deb13-amd64";
    facts.cgroup_version = 2;
    facts.cgroup_controllers = {"cpu", "memory", "pids"};
    facts.seccomp = facts.network_lock = facts.experimental = facts.runtime_there = true;
    facts.criu = {"/usr/sbin/criu", "4.1.1", ""};
    facts.criu_check = "good";
    facts.runc = {"/usr/sbin/runc", "1.1.15+ds1", ""};
    facts.docker = {"/usr/bin/docker", "26.1.5+dfsg1", ""};
    facts.security = {"cgroupns", "seccomp"};
    return facts;
}

HostFacts good_aarch64() {
    HostFacts facts = good();
    facts.name = "pi";
    facts.isa = arch::Isa::kAarch64;
    facts.address_limit = std::uint64_t{1} << 48;
    return facts;
}

// What is not ok, as "STATUS NAME: TEXT; REMEDY".
std::vector<std::string> complaints(const std::vector<Finding> &findings) {
    std::vector<std::string> lines;
    for (const Finding &finding : findings)
        if (finding.status != Finding::Status::kOk)
            lines.push_back(std::string(name_of(finding.status)) + " " + finding.name + ": " + finding.text + "; " +
                            finding.remedy);
    return lines;
}

template <typename Change> std::vector<std::string> with(Change change) {
    HostFacts facts = good();
    change(facts);
    return complaints(judge(facts));
}

template <typename Change> std::vector<std::string> pair_with(Change change) {
    HostFacts there = good_aarch64();
    change(there);
    return complaints(judge_pair(good(), there, 999'000, 1'000'100));
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Findings, a_good_host_and_a_good_pair_lack_nothing) {
    EXPECT_THAT(complaints(judge(good())), IsEmpty());
    EXPECT_THAT(complaints(judge(good_aarch64())), IsEmpty());
    EXPECT_THAT(pair_with([](HostFacts &) {}), IsEmpty());
}

TEST(Findings, every_aspect_is_named_once) {
    std::vector<std::string> names;
    for (const Finding &finding : judge(good())) names.push_back(finding.name);
    EXPECT_THAT(names,
                ElementsAre("kernel", "kernel options", "page size", "addresses", "cgroups", "seccomp", "configuration",
                            "criu", "criu check", "network lock", "runc", "docker", "experimental", "runtime"));
}

TEST(Findings, a_kernel_that_is_too_old_or_lacks_options) {
    EXPECT_THAT(with([](HostFacts &facts) { facts.kernel = "5.4.0-42"; }),
                ElementsAre("lacking kernel: Linux 5.4.0-42; boot Linux 5.6 or later"));
    EXPECT_THAT(
        with([](HostFacts &facts) { facts.missing_options = {"CONFIG_UNIX_DIAG", "CONFIG_TUN"}; }),
        ElementsAre("lacking kernel options: not set: CONFIG_UNIX_DIAG, CONFIG_TUN; boot a kernel that has them"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.seccomp = false; }),
                ElementsAre("lacking seccomp: the kernel has no filters; boot a kernel with CONFIG_SECCOMP_FILTER"));
}

TEST(Findings, pages_and_addresses_of_another_size) {
    EXPECT_THAT(
        with([](HostFacts &facts) { facts.page_size = 16384; }),
        ElementsAre("warning page size: 16384 bytes: containers move to hosts with the same only; boot a kernel "
                    "with pages of 4096 bytes"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.address_limit = std::uint64_t{1} << 39; }),
                ElementsAre("lacking addresses: 39 bits: processes from hosts with more do not fit; boot a kernel with "
                            "CONFIG_ARM64_VA_BITS=48"));
}

TEST(Findings, cgroups_without_a_freezer_or_limits) {
    EXPECT_THAT(with([](HostFacts &facts) { facts.cgroup_version = 0; }),
                ElementsAre("lacking cgroups: none is mounted; mount cgroup2 at /sys/fs/cgroup"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.cgroup_version = 1; }),
                ElementsAre("lacking cgroups: version 1 with cpu, memory, pids: no freezer; mount the freezer, or boot "
                            "with cgroup version 2"));
    EXPECT_THAT(
        with([](HostFacts &facts) { facts.cgroup_controllers = {"cpu", "pids"}; }),
        ElementsAre("warning cgroups: version 2 with cpu, pids; containers have no limits of memory; enable them "
                    "on the kernel's command line, such as cgroup_enable=memory"));
}

TEST(Findings, a_criu_that_is_missing_old_or_does_not_know_the_kernel) {
    std::string remedy = "; install criu 3.17 or later, or set the key \"criu\" of hrunc.json";
    EXPECT_THAT(
        with([](HostFacts &facts) {
            facts.criu = {"", "", "criu \"criu\": not found"};
            facts.criu_check.clear();
        }),
        ElementsAre("lacking criu: criu \"criu\": not found" + remedy, "warning criu check: not made without criu; "));
    EXPECT_THAT(with([](HostFacts &facts) { facts.criu.version = "3.16.1"; }),
                ElementsAre("lacking criu: 3.16.1, /usr/sbin/criu: too old" + remedy));
    EXPECT_THAT(with([](HostFacts &facts) { facts.kernel = "6.18.1"; }),
                ElementsAre("warning criu: 4.1.1, /usr/sbin/criu: dumps no internet sockets on Linux 6.16 or later; "
                            "install criu 4.2 or later"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.criu_check = "(criu/vdso.c:381): vdso: bounds"; }),
                ElementsAre("lacking criu check: (criu/vdso.c:381): vdso: bounds; install a criu that knows this "
                            "kernel, or boot one that it knows"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.criu_check.clear(); }),
                ElementsAre("warning criu check: not made: only root can; run hrunc check as root"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.network_lock = false; }),
                ElementsAre("lacking network lock: iptables is missing; install iptables, or set \"network-lock\": "
                            "\"nftables\" in hrunc.json"));
}

TEST(Findings, a_runc_that_hrunc_does_not_know) {
    EXPECT_THAT(with([](HostFacts &facts) { facts.runc.version = "1.0.0-rc93"; }),
                ElementsAre("lacking runc: 1.0.0-rc93, /usr/sbin/runc: too old; install runc 1.1 to 1.3"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.runc.version = "1.4.0"; }),
                ElementsAre("warning runc: 1.4.0, /usr/sbin/runc: newer than hrunc was tested with; "));
}

TEST(Findings, docker_28_and_29_cannot_restore_bridge_networks) {
    for (const char *version : {"28.5.2+dfsg4", "29.0.0"})
        EXPECT_THAT(with([&](HostFacts &facts) { facts.docker.version = version; }),
                    ElementsAre("lacking docker: " + std::string(version) +
                                ": Docker from 28 on restores no container of a bridge network; create containers that "
                                "are to move with --network host or --network container:NAME, or install Docker 26"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.docker.version = "20.10.24+dfsg1"; }), IsEmpty());
}

TEST(Findings, a_docker_that_is_missing_down_or_not_set_up) {
    EXPECT_THAT(with([](HostFacts &facts) { facts.docker = {}; }),
                ElementsAre("lacking docker: not installed; install Docker 20.10 to 26"));
    EXPECT_THAT(with([](HostFacts &facts) {
                    facts.docker = {};
                    facts.podman = true;
                }),
                ElementsAre("warning docker: not installed; there is Podman; "));
    EXPECT_THAT(with([](HostFacts &facts) { facts.docker.problem = "Cannot connect"; }),
                ElementsAre("lacking docker: Cannot connect; start dockerd"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.experimental = false; }),
                ElementsAre("lacking experimental: dockerd has no docker checkpoint; run hrunc setup --restart, or "
                            "restart dockerd if \"experimental\" is set"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.runtime.clear(); }),
                ElementsAre("lacking runtime: dockerd does not know hrunc; run hrunc setup"));
    EXPECT_THAT(
        with([](HostFacts &facts) { facts.runtime_there = false; }),
        ElementsAre("lacking runtime: dockerd starts /usr/local/bin/hrunc, which is not there; run hrunc setup"));
    EXPECT_THAT(with([](HostFacts &facts) { facts.hrunc_path = "/opt/hrunc"; }),
                ElementsAre("warning runtime: dockerd starts /usr/local/bin/hrunc, and this is /opt/hrunc; run hrunc "
                            "setup if this one is meant"));
}

TEST(Findings, a_pair_has_to_have_pages_and_addresses_of_one_size) {
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.page_size = 65536; }),
                ElementsAre("lacking page size: 4096 and 65536 bytes; boot kernels with the same page size"));
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.address_limit = std::uint64_t{1} << 39; }),
                ElementsAre("lacking addresses: 47 bits and 39 bits: processes do not fit into the smaller one; boot a "
                            "kernel with CONFIG_ARM64_VA_BITS=48 there"));
}

TEST(Findings, a_pair_with_different_programs_or_security_is_warned_of) {
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.criu.version = "3.17.1"; }),
                ElementsAre("warning criu: 4.1.1 and 3.17.1: the older one may not restore what the newer has dumped; "
                            "install the same version on both"));
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.docker.version = "20.10.24"; }),
                ElementsAre("warning docker: 26.1.5+dfsg1 and 20.10.24: not tested with each other; install the same "
                            "version on both"));
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.cgroup_version = 1; }),
                ElementsAre("warning cgroups: version 2 and 1; boot both with the same, "
                            "systemd.unified_cgroup_hierarchy=1 for version 2"));
    std::string remedy = "; give both dockerd the same: seccomp, AppArmor and SELinux on both or on neither";
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.security = {"apparmor", "cgroupns", "seccomp"}; }),
                ElementsAre("warning security: containers get cgroupns, seccomp here and apparmor, cgroupns, seccomp "
                            "there" +
                            remedy));
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.security = {"cgroupns"}; }),
                ElementsAre("lacking security: containers get cgroupns, seccomp here and cgroupns there" + remedy));
}

TEST(Findings, clocks_that_cannot_both_be_right_are_told_apart_from_a_slow_answer) {
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.time = 1'005'200; }),
                ElementsAre("warning clocks: 5 s ahead there: programs see time jump at a move; set both by NTP"));
    EXPECT_THAT(pair_with([](HostFacts &facts) { facts.time = 899'000; }),
                ElementsAre("warning clocks: 100 s behind there: programs see time jump at a move; set both by NTP"));
    EXPECT_THAT(complaints(judge_pair(good(), good(), 900'000, 1'100'000)), IsEmpty());
}

TEST(Findings, versions_are_read_as_far_as_they_go) {
    EXPECT_EQ(version_from("28.5.2+dfsg1"), (ProgramVersion{28, 5}));
    EXPECT_EQ(version_from("4"), (ProgramVersion{4, 0}));
    EXPECT_EQ(version_from("4."), (ProgramVersion{4, 0}));
    EXPECT_EQ(version_from(""), std::nullopt);
    EXPECT_EQ(version_from("unknown"), std::nullopt);
    EXPECT_EQ(version_from("99999999999.1"), std::nullopt);
}

std::string refusal(const std::string &facts) {
    Result<HostFacts> read = host_facts_from_json(facts);
    return read ? "accepted" : read.error().text();
}

TEST(HostFacts, come_back_from_json_as_they_were) {
    HostFacts facts = good_aarch64();
    facts.missing_options = {"CONFIG_TUN"};
    facts.configuration_problem = "\"hrunc.json\": bad";
    facts.podman = true;
    Result<HostFacts> again = host_facts_from_json("{\"facts\": " + to_json(facts) + "}");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(*again, facts);
}

TEST(HostFacts, of_another_host_cannot_write_on_the_terminal) {
    Result<HostFacts> facts = host_facts_from_json(
        R"({"facts": {"isa": "aarch64", "name": "\u001b[2Jpi\n\u009b", "criu": {"version": "\r4.1"}, "security": ["\u0007x"],)"
        R"("criuCheck": ")" +
        std::string(5000, 'x') + "\"}}");
    ASSERT_TRUE(facts) << facts.error().text();
    EXPECT_EQ(facts->name, "?[2Jpi???");
    EXPECT_EQ(facts->criu.version, "?4.1");
    EXPECT_EQ(facts->security, std::vector<std::string>{"?x"});
    EXPECT_EQ(facts->criu_check.size(), kMaxFactText);
}

TEST(HostFacts, that_are_none_are_refused_by_name) {
    EXPECT_EQ(refusal(""), "line 1, column 1: ends within a value");
    EXPECT_EQ(refusal("[]"), "an object is expected, not a list");
    EXPECT_EQ(refusal("{}"), "\"facts\" is missing");
    EXPECT_EQ(refusal(R"({"facts": {"isa": "riscv64"}})"), "\"facts\": isa: \"riscv64\" is neither x86-64 nor aarch64");
    EXPECT_EQ(refusal(R"({"facts": {"isa": "aarch64", "pageSize": -4096}})"),
              "\"facts\": pageSize: a whole number of 0 or more is expected, not a number");
    EXPECT_EQ(refusal(R"({"facts": {"isa": "aarch64", "cgroups": {"version": 3}}})"),
              "\"facts\": cgroups.version: 3 is above the limit of 2");
    EXPECT_EQ(refusal(R"({"facts": {"isa": "aarch64", "security": [1]}})"),
              "\"facts\": security: a list of texts is expected");
    EXPECT_EQ(refusal(std::string(kMaxFactsText + 1, ' ')), "larger than the limit of 1048576 bytes");
}

} // namespace
} // namespace hrunc::shim
