#include <gtest/gtest.h>

#include "shim/invocation.h"

namespace hrunc::shim {
namespace {

Invocation parse(std::vector<std::string> words) {
    words.insert(words.begin(), "hrunc");
    return parse_invocation(std::move(words));
}

TEST(RuncOptions, what_docker_calls_at_a_restore) {
    Invocation call = parse(
        {"--root",      "/run/moby",        "--log",  "/b/log.json",   "--log-format", "json",     "--systemd-cgroup",
         "restore",     "--image-path",     "/tmp/i", "--work-path",   "/b/work",      "--detach", "--pid-file",
         "/b/init.pid", "--console-socket", "/tmp/s", "-no-subreaper", "--bundle",     "/b",       "c1"});
    EXPECT_EQ(call.verb, "restore");
    EXPECT_EQ(call.verb_index, 8U);
    EXPECT_EQ(call.root, "/run/moby");
    EXPECT_EQ(call.log, "/b/log.json");
    EXPECT_EQ(call.log_format, LogFormat::kJson);
    EXPECT_TRUE(call.systemd_cgroup);
    EXPECT_EQ(call.image_path, "/tmp/i");
    EXPECT_EQ(call.work_path, "/b/work");
    EXPECT_EQ(call.pid_file, "/b/init.pid");
    EXPECT_EQ(call.console_socket, "/tmp/s");
    EXPECT_EQ(call.bundle, "/b");
    EXPECT_TRUE(call.detach);
    EXPECT_TRUE(call.no_subreaper);
    EXPECT_EQ(call.container_id, "c1");
}

TEST(RuncOptions, one_dash_is_two_and_equal_signs_bring_values) {
    Invocation call = parse({"-root=/r", "--log-format=json", "-debug", "checkpoint", "-image-path=/i=j",
                             "--leave-running=false", "--pre-dump=1", "-tcp-established", "c1"});
    EXPECT_EQ(call.verb, "checkpoint");
    EXPECT_EQ(call.root, "/r");
    EXPECT_TRUE(call.debug);
    EXPECT_EQ(call.image_path, "/i=j");
    EXPECT_FALSE(call.leave_running);
    EXPECT_TRUE(call.pre_dump);
    EXPECT_TRUE(call.tcp_established);
    EXPECT_EQ(call.container_id, "c1");
}

TEST(RuncOptions, a_value_is_never_taken_for_the_verb) {
    EXPECT_EQ(parse({"--log", "restore", "--criu", "checkpoint", "--rootless", "true", "state", "c1"}).verb, "state");
    EXPECT_EQ(parse({"--log", "--root", "state"}).verb, "state");
    EXPECT_EQ(parse({"--debug", "restore", "c1"}).verb, "restore");
}

TEST(RuncOptions, options_may_follow_the_id) {
    Invocation call = parse({"checkpoint", "c1", "--image-path", "/i", "--leave-running"});
    EXPECT_EQ(call.container_id, "c1");
    EXPECT_EQ(call.image_path, "/i");
    EXPECT_TRUE(call.leave_running);
}

TEST(RuncOptions, two_dashes_end_the_options) {
    EXPECT_EQ(parse({"--debug", "--", "state"}).verb, "state");
    Invocation call = parse({"restore", "--detach", "--", "--c1"});
    EXPECT_TRUE(call.detach);
    EXPECT_EQ(call.container_id, "--c1");
}

TEST(RuncOptions, short_names_count) {
    Invocation call = parse({"restore", "-d", "-b", "/b", "c1"});
    EXPECT_TRUE(call.detach);
    EXPECT_EQ(call.bundle, "/b");
}

TEST(RuncOptions, an_unknown_global_option_leaves_everything_to_runc) {
    Invocation call = parse({"--version", "--later-option", "value", "restore", "c1"});
    EXPECT_EQ(call.verb, "");
    EXPECT_EQ(call.verb_index, call.argv.size());
    EXPECT_FALSE(call.version);
}

TEST(RuncOptions, an_unknown_option_of_a_verb_does_not_hide_the_id) {
    EXPECT_EQ(parse({"restore", "--later-option", "value", "--detach", "c1"}).container_id, "c1");
}

TEST(RuncOptions, without_exactly_one_argument_there_is_no_container) {
    EXPECT_EQ(parse({"restore"}).container_id, "");
    EXPECT_EQ(parse({"restore", "a", "b"}).container_id, "");
    EXPECT_EQ(parse({"restore", "--bundle"}).container_id, "");
}

TEST(RuncOptions, no_verb_is_none) {
    EXPECT_EQ(parse({}).verb, "");
    EXPECT_EQ(parse({"--root", "/r"}).verb, "");
    EXPECT_EQ(parse({"--root"}).verb, "");
}

TEST(RuncOptions, help_and_version_count_before_the_verb_only) {
    EXPECT_TRUE(parse({"--help"}).help);
    EXPECT_TRUE(parse({"-h"}).help);
    EXPECT_TRUE(parse({"-v"}).version);
    EXPECT_FALSE(parse({"state", "--help"}).help);
    EXPECT_TRUE(parse({"restore", "-h"}).verb_help);
}

TEST(RuncOptions, defaults_are_runcs) {
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    Invocation call = parse({"checkpoint", "c1"});
    EXPECT_EQ(call.root, geteuid() == 0 ? "/run/runc" : "/run/user/7/runc");
    unsetenv("XDG_RUNTIME_DIR");
    EXPECT_EQ(parse({"checkpoint", "c1"}).root, "/run/runc");
    EXPECT_TRUE(call.image_path.starts_with('/'));
    EXPECT_TRUE(call.image_path.ends_with("/checkpoint"));
    EXPECT_EQ(call.log_format, LogFormat::kText);
    EXPECT_EQ(call.rootless, "auto");
}

TEST(RuncOptions, a_relative_root_is_made_absolute) {
    EXPECT_TRUE(parse({"--root", "r", "restore", "c1"}).root.starts_with('/'));
    EXPECT_TRUE(parse({"--root", "r", "restore", "c1"}).root.ends_with("/r"));
}

} // namespace
} // namespace hrunc::shim
