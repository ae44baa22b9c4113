#include "shim/docker.h"

#include <gtest/gtest.h>

namespace hrunc::shim {
namespace {

std::string refusal(std::string_view text) {
    Result<DockerInfo> info = docker_info_from(text);
    return info ? "accepted" : info.error().text();
}

TEST(DockerInfo, is_what_docker_26_prints) {
    Result<DockerInfo> info = docker_info_from(
        R"({"ID":"x","ServerVersion":"26.1.5+dfsg1","ExperimentalBuild":true,"Runtimes":{"hrunc":{"path":)"
        R"("/usr/local/bin/hrunc"},"io.containerd.runc.v2":{"path":"runc","status":{"a":"b"}}},"SecurityOptions":)"
        R"(["name=seccomp,profile=builtin","name=cgroupns"],"Warnings":null})");
    ASSERT_TRUE(info) << info.error().text();
    EXPECT_EQ(info->version, "26.1.5+dfsg1");
    EXPECT_TRUE(info->experimental);
    EXPECT_EQ(info->runtimes, (std::map<std::string, std::string>{{"hrunc", "/usr/local/bin/hrunc"},
                                                                  {"io.containerd.runc.v2", "runc"}}));
    EXPECT_EQ(info->security, (std::vector<std::string>{"cgroupns", "seccomp"}));
}

TEST(DockerInfo, without_a_daemon_is_an_error) {
    EXPECT_EQ(refusal(R"({"ID":"","ServerVersion":"","Runtimes":null,"SecurityOptions":null})"),
              "docker info: names no version");
    EXPECT_EQ(refusal(""), "docker info: line 1, column 1: ends within a value");
    EXPECT_EQ(refusal(R"({"ServerVersion":"1","Runtimes":{"a":1}})"),
              "docker info: \"Runtimes\": an object is expected, not a number");
}

} // namespace
} // namespace hrunc::shim
