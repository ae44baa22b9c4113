#include <gtest/gtest.h>

#include "oci/document.h"

namespace hrunc::oci {
namespace {

Result<Bundle> bundle(std::string_view text) {
    HRUNC_ASSIGN(Json json, parse_json(text));
    return bundle_from(std::move(json), "/b");
}

std::string refusal(std::string_view text) {
    Result<Bundle> result = bundle(text);
    return result ? "accepted" : result.error().text();
}

TEST(Bundle, an_empty_document_has_defaults) {
    Result<Bundle> empty = bundle("{}");
    ASSERT_TRUE(empty) << empty.error().text();
    EXPECT_EQ(empty->root, "");
    EXPECT_EQ(empty->seccomp, "");
    EXPECT_FALSE(empty->terminal);
    EXPECT_TRUE(empty->mounts.empty());
    EXPECT_TRUE(empty->annotations.empty());
}

TEST(Bundle, a_relative_root_and_a_relative_bind_source_lie_in_the_bundle) {
    Result<Bundle> relative = bundle(R"({
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [
            {"destination": "/data", "type": "bind", "source": "data"},
            {"destination": "/etc/hosts", "type": "none", "source": "/h", "options": ["rbind", "ro"]},
            {"destination": "/proc", "type": "proc", "source": "proc"}
        ]})");
    ASSERT_TRUE(relative) << relative.error().text();
    EXPECT_EQ(relative->root, "/b/rootfs");
    EXPECT_TRUE(relative->root_readonly);
    ASSERT_EQ(relative->mounts.size(), 3U);
    EXPECT_TRUE(relative->mounts[0].bind);
    EXPECT_EQ(relative->mounts[0].source, "/b/data");
    EXPECT_TRUE(relative->mounts[1].bind);
    EXPECT_EQ(relative->mounts[1].source, "/h");
    EXPECT_FALSE(relative->mounts[2].bind);
    EXPECT_EQ(relative->mounts[2].source, "proc");
}

TEST(Bundle, process_and_linux_members_are_read) {
    Result<Bundle> full = bundle(R"({
        "process": {"terminal": true, "user": {"uid": 4294967295, "gid": 7}, "noNewPrivileges": true},
        "hostname": "web",
        "annotations": {"org.hrunc.tcp": "close", "other": ""},
        "linux": {
            "cgroupsPath": "/docker/1",
            "namespaces": [{"type": "pid"}, {"type": "network", "path": "/proc/1/ns/net"}],
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "unknown": [1]}
        }})");
    ASSERT_TRUE(full) << full.error().text();
    EXPECT_TRUE(full->terminal);
    EXPECT_EQ(full->uid, 4294967295U);
    EXPECT_EQ(full->gid, 7U);
    EXPECT_TRUE(full->no_new_privileges);
    EXPECT_EQ(full->hostname, "web");
    EXPECT_EQ(full->annotations, (Annotations{{"org.hrunc.tcp", "close"}, {"other", ""}}));
    EXPECT_EQ(full->cgroups_path, "/docker/1");
    ASSERT_EQ(full->namespaces.size(), 2U);
    EXPECT_EQ(full->namespaces[1].type, "network");
    EXPECT_EQ(full->namespaces[1].path, "/proc/1/ns/net");
    EXPECT_EQ(full->seccomp, R"({"defaultAction":"SCMP_ACT_ERRNO","unknown":[1]})");
}

TEST(Bundle, a_member_of_the_wrong_kind_is_named) {
    EXPECT_EQ(refusal("[]"), "an object is expected, not a list");
    EXPECT_EQ(refusal(R"({"root": "/"})"), "root: an object is expected, not a string");
    EXPECT_EQ(refusal(R"({"process": {"terminal": "no"}})"), "process.terminal: a boolean is expected, not a string");
    EXPECT_EQ(refusal(R"({"mounts": {}})"), "mounts: a list is expected, not an object");
    EXPECT_EQ(refusal(R"({"mounts": [{"destination": "/a"}, 3]})"), "mounts[1]: an object is expected, not a number");
    EXPECT_EQ(refusal(R"({"mounts": [{}]})"), "mounts[0]: destination: missing");
    EXPECT_EQ(refusal(R"({"annotations": {"a\n": 1}})"), "annotations \"a\\x0a\": a string is expected, not a number");
    EXPECT_EQ(refusal(R"({"linux": {"seccomp": []}})"), "linux.seccomp: an object is expected, not a list");
}

TEST(Bundle, a_user_id_is_checked_against_its_limit) {
    EXPECT_EQ(refusal(R"({"process": {"user": {"uid": 4294967296}}})"),
              "process.user.uid: 4294967296 is above the limit of 4294967295");
    EXPECT_EQ(refusal(R"({"process": {"user": {"uid": -1}}})"),
              "process.user.uid: a whole number of 0 or more is expected, not a number");
}

TEST(Bundle, null_counts_as_missing) {
    EXPECT_EQ(refusal(R"({"mounts": null, "linux": {"seccomp": null}, "annotations": null})"), "accepted");
}

TEST(Bundle, a_missing_config_json_is_named) {
    Result<Bundle> result = read_bundle("/nowhere");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().text(), "open \"/nowhere/config.json\": No such file or directory");
}

} // namespace
} // namespace hrunc::oci
