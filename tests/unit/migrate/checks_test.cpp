#include "migrate/checks.h"

#include <gtest/gtest.h>

namespace hrunc::migrate {
namespace {

using oci::Json;
using Problems = std::vector<std::string>;

End end_of(const std::string &where, const std::string &machine) {
    Json info =
        Json::parse(R"({"DockerRootDir": "/var/lib/docker", "ServerVersion": "26.1.5+dfsg1", "Driver": "overlay2",
        "ExperimentalBuild": true, "Runtimes": {"runc": {"path": "runc"}, "hrunc": {"path": "/usr/local/bin/hrunc"}},
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"]})");
    info["Architecture"] = machine;
    Result<End> end = end_from(where, info);
    EXPECT_TRUE(end) << end.error().text();
    end->probe.uid = 0;
    end->probe.gnu_tar = end->probe.zstd = true;
    end->probe.free_images = std::uint64_t{1} << 30;
    return *end;
}

class Checks : public testing::Test {
  protected:
    Checks() {
        container.name = "web";
        container.image = "web:1";
        container.runtime = "hrunc";
        container.state = "running";
        container.running = true;
        container.network_mode = "bridge";
        findings.source = end_of("here", "x86_64");
        findings.target = end_of("on pi", "aarch64");
        findings.image = Json{{"Architecture", "arm64"}};
    }
    Problems problems() const { return problems_of(container, "web", findings); }

    Container container;
    Findings findings;
};

TEST_F(Checks, nothing_stands_in_the_way_of_two_good_hosts) {
    EXPECT_EQ(problems(), Problems());
}

TEST_F(Checks, what_an_end_lacks_is_said_of_that_end) {
    findings.source.probe.uid = 1000;
    findings.target.probe.zstd = false;
    findings.target.probe.gnu_tar = false;
    findings.target.info["ExperimentalBuild"] = false;
    EXPECT_EQ(
        problems(),
        (Problems{"here: not root: Docker's files have to be read and written",
                  "on pi: GNU tar is missing: install tar", "on pi: zstd is missing: install zstd",
                  "on pi: Docker has no checkpoints: set \"experimental\": true in daemon.json, and restart it"}));
}

TEST_F(Checks, the_runtime_has_to_be_hrunc_at_both_ends) {
    container.runtime = "runc";
    EXPECT_EQ(problems(),
              (Problems{"here: Docker has no runtime \"runc\" that is hrunc: register it in daemon.json, and "
                        "create the container with it",
                        "on pi: Docker has no runtime \"runc\" that is hrunc: register it in daemon.json, and "
                        "create the container with it"}));
}

TEST_F(Checks, docker_28_restores_on_the_host_network_alone) {
    findings.source.info["ServerVersion"] = "28.5.2";
    EXPECT_EQ(problems(),
              (Problems{"here: Docker 28.5.2 cannot restore a container that is not on the host network: take "
                        "Docker 27 or older"}));
    container.network_mode = "host";
    EXPECT_EQ(problems(), Problems());
}

TEST_F(Checks, an_image_that_is_missing_or_for_another_isa_is_named) {
    findings.image = Json{{"Architecture", "amd64"}};
    EXPECT_EQ(problems(), (Problems{"on pi: image \"web:1\" is for amd64, the host is arm64"}));
    findings.image.reset();
    EXPECT_EQ(problems(),
              (Problems{"on pi: there is no image \"web:1\" for arm64: bring it there, or send it along with "
                        "--image FILE"}));
    findings.image_comes = true;
    EXPECT_EQ(problems(), Problems());
}

TEST_F(Checks, names_networks_paths_and_ports_have_to_be_free_or_there) {
    findings.name_taken = true;
    findings.missing_networks = {"front"};
    findings.target.probe.missing_paths = {"/srv/data"};
    findings.target.probe.listeners = {{"tcp", "", 80}, {"tcp", "127.0.0.1", 7777}, {"udp", "", 53}};
    container.ports = {{"", 80, "tcp"}, {"10.0.0.1", 7777, "tcp"}, {"127.0.0.1", 7777, "tcp"}, {"", 53, "tcp"}};
    EXPECT_EQ(problems(), (Problems{"on pi: there is a container \"web\": remove it, or take --name",
                                    "on pi: there is no network \"front\": create it with docker network create",
                                    "on pi: there is no \"/srv/data\", which the container has mounted",
                                    "on pi: port 80/tcp is in use", "on pi: port 7777/tcp is in use"}));
}

TEST_F(Checks, a_volume_has_to_be_there_or_to_come_and_none_is_overwritten) {
    container.volumes = {{"files", "local", "/files", "/x"}};
    EXPECT_EQ(problems(),
              (Problems{"on pi: volume \"files\" (/files) is not there: bring its content there, or send it "
                        "along with --volumes"}));
    findings.volumes_there = {"files"};
    EXPECT_EQ(problems(), Problems());
    findings.volumes_come = true;
    EXPECT_EQ(problems(),
              (Problems{"on pi: volume \"files\" (/files) is there already: remove it, or leave --volumes out, "
                        "which would have to overwrite it"}));
    container.volumes[0].driver = "nfs";
    EXPECT_EQ(problems(),
              (Problems{"on pi: volume \"files\" (/files) is of driver \"nfs\": --volumes cannot send it"}));
    container.volumes[0].driver = "local";
    findings.volumes_there.clear();
    EXPECT_EQ(problems(), Problems());
}

TEST_F(Checks, a_container_that_would_not_survive_its_checkpoint_is_refused) {
    container.state = "paused";
    container.auto_remove = true;
    container.namespaces_of = {"PidMode container:abc"};
    EXPECT_EQ(problems(), (Problems{"the container is not running, it is \"paused\"",
                                    "the container was created with --rm: Docker would remove it with its checkpoint",
                                    "the container shares a namespace with another one: \"PidMode container:abc\""}));
}

TEST_F(Checks, the_memory_has_to_find_room_at_both_ends) {
    findings.memory = std::uint64_t{1200} << 20;
    EXPECT_EQ(problems().size(), 2U);
    EXPECT_EQ(problems()[1],
              "on pi: 1200 MB of memory have to be kept in \"/var/lib/hrunc/images\", where 1024 MB are free");
}

TEST(End, a_root_directory_that_is_no_plain_path_is_refused) {
    for (const char *path : {"", "/", "var", "/var/../etc", "/var/./x"}) {
        Result<End> end = end_from("on pi", Json{{"DockerRootDir", path}});
        ASSERT_FALSE(end) << path;
        EXPECT_EQ(end.error().text(), "Docker on pi: DockerRootDir: " + oci::in_quotes(path));
    }
}

TEST(Probe, what_the_shell_says_is_read) {
    Result<Probe> probe =
        probe_from("uid 0\ntar\nzstd\nfree 10 4096\nin use tcp 0100007F:1E61\n"
                   "in use tcp6 00000000000000000000000000000000:0016\nin use udp nonsense\nmissing 1\n"
                   "missing 7\nend\n",
                   {"/a", "/b"});
    ASSERT_TRUE(probe) << probe.error().text();
    EXPECT_EQ(probe->uid, 0U);
    EXPECT_TRUE(probe->gnu_tar && probe->zstd && !probe->metacopy);
    EXPECT_EQ(probe->free_images, 40960U);
    EXPECT_EQ(probe->missing_paths, (std::vector<std::string>{"/b"}));
    ASSERT_EQ(probe->listeners.size(), 2U);
    EXPECT_EQ(probe->listeners[0].address, "127.0.0.1");
    EXPECT_EQ(probe->listeners[0].port, 7777U);
    EXPECT_EQ(probe->listeners[1].address, "");
    EXPECT_EQ(probe->listeners[1].port, 22U);
    EXPECT_EQ(probe->listeners[1].protocol, "tcp");
}

TEST(Probe, an_answer_that_is_cut_off_is_none) {
    EXPECT_EQ(probe_from("uid 0\ntar\n", {}).error().text(), "the shell did not come to the end of its script");
}

TEST(Probe, a_shell_runs_the_script) {
    Result<std::string> output =
        output_of(Host::here().command(probe_script({"/", "/no such\n'path"})), std::size_t{1} << 20);
    ASSERT_TRUE(output) << output.error().text();
    Result<Probe> probe = probe_from(*output, {"/", "/no such\n'path"});
    ASSERT_TRUE(probe) << probe.error().text() << *output;
    EXPECT_EQ(probe->uid, getuid());
    EXPECT_TRUE(probe->gnu_tar);
    EXPECT_GT(probe->free_images, 0U);
    EXPECT_EQ(probe->missing_paths, (std::vector<std::string>{"/no such\n'path"}));
}

} // namespace
} // namespace hrunc::migrate
