#include <gtest/gtest.h>

#include "oci/document.h"

namespace hrunc::oci {
namespace {

std::string refusal(std::string_view text) {
    Result<Json> json = parse_json(text);
    if (!json) return json.error().text();
    Result<State> state = state_from(std::move(*json));
    return state ? "accepted" : state.error().text();
}

// TEST_DATA/runc-1.1.5/state.json is what runc 1.1.5 wrote on a host with both cgroup versions.
TEST(State, what_runc_writes_is_read) {
    Result<State> state = read_state(TEST_DATA, "runc-1.1.5");
    ASSERT_TRUE(state) << state.error().text();
    EXPECT_EQ(state->id, "c1");
    EXPECT_EQ(state->init_pid, 23824);
    EXPECT_EQ(state->init_start, 208917U);
    EXPECT_EQ(state->root, "/b/rootfs");
    EXPECT_EQ(state->bundle, "/b");
    EXPECT_EQ(state->annotations, (Annotations{{"org.hrunc.tcp", "close"}}));
    EXPECT_EQ(state->cgroup_paths.at("freezer"), "/sys/fs/cgroup/freezer/c1");
    EXPECT_EQ(state->cgroup_paths.at(""), "/sys/fs/cgroup/unified/c1");
}

TEST(State, an_annotation_named_bundle_does_not_count) {
    Result<Json> json = parse_json(R"({"config": {"labels": ["bundle=/false", "a=b=c", "bare", "bundle=/true"]}})");
    ASSERT_TRUE(json);
    Result<State> state = state_from(std::move(*json));
    ASSERT_TRUE(state) << state.error().text();
    EXPECT_EQ(state->bundle, "/true");
    EXPECT_EQ(state->annotations, (Annotations{{"a", "b=c"}, {"bare", ""}}));
}

TEST(State, a_member_of_the_wrong_kind_is_named) {
    EXPECT_EQ(refusal(R"({"init_process_pid": "1"})"),
              "init_process_pid: a whole number of 0 or more is expected, not a string");
    EXPECT_EQ(refusal(R"({"init_process_pid": 2147483648})"),
              "init_process_pid: 2147483648 is above the limit of 2147483647");
    EXPECT_EQ(refusal(R"({"config": {"labels": [1]}})"), "config.labels: a list of strings is expected");
    EXPECT_EQ(refusal(R"({"cgroup_paths": {"": []}})"), "cgroup_paths \"\": a string is expected, not a list");
}

TEST(State, an_id_cannot_lead_out_of_the_root) {
    for (const char *id : {"", ".", "..", "a/b", "../etc"}) {
        Result<State> state = read_state("/run/runc", id);
        ASSERT_FALSE(state);
        EXPECT_EQ(state.error().text(), "\"" + std::string(id) + "\": no container id");
    }
}

} // namespace
} // namespace hrunc::oci
