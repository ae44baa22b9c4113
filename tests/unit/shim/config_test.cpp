#include "shim/config.h"

#include <unistd.h>

#include "shim/program.h"
#include "temporary_directory.h"

namespace hrunc::shim {
namespace {

std::string refusal(std::string_view text, const std::map<std::string, std::string> &annotations = {}) {
    Result<Config> config = config_from("/f", text, annotations);
    return config ? "accepted" : config.error().text();
}

Config accepted(std::string_view text, const std::map<std::string, std::string> &annotations = {}) {
    Result<Config> config = config_from("/f", text, annotations);
    EXPECT_TRUE(config) << config.error().text();
    return config ? *config : Config();
}

TEST(ConfigFile, every_key_is_read) {
    Config config = accepted(R"({
        "runc": "/opt/runc", "criu": "criu-4.2", "notify-timeout": "2m", "unmigratable": "refuse",
        "tcp": "established", "network-lock": "nftables", "target": "arm64",
        "state-directory": "/s", "log-directory": "/l", "debug-log": "/d"})");
    EXPECT_EQ(config.runc, "/opt/runc");
    EXPECT_EQ(config.criu, "criu-4.2");
    EXPECT_EQ(config.notify_timeout, std::chrono::minutes(2));
    EXPECT_EQ(config.unmigratable, Unmigratable::kRefuse);
    EXPECT_EQ(config.tcp, Tcp::kEstablished);
    EXPECT_EQ(config.network_lock, NetworkLock::kNftables);
    EXPECT_EQ(config.target, arch::Isa::kAarch64);
    EXPECT_EQ(config.state_directory, "/s");
    EXPECT_EQ(config.log_directory, "/l");
    EXPECT_EQ(config.debug_log, "/d");
}

TEST(ConfigFile, every_choice_is_known) {
    EXPECT_EQ(accepted(R"({"unmigratable": "pass"})").unmigratable, Unmigratable::kPass);
    EXPECT_EQ(accepted(R"({"tcp": "refuse"})").tcp, Tcp::kRefuse);
    EXPECT_EQ(accepted(R"({"tcp": "close"})").tcp, Tcp::kClose);
    EXPECT_EQ(accepted(R"({"network-lock": "default"})").network_lock, NetworkLock::kDefault);
    EXPECT_EQ(accepted(R"({"network-lock": "iptables"})").network_lock, NetworkLock::kIptables);
    EXPECT_EQ(accepted(R"({"network-lock": "skip"})").network_lock, NetworkLock::kSkip);
    EXPECT_EQ(accepted(R"({"target": "other"})").target, std::nullopt);
    EXPECT_EQ(accepted(R"({"target": "x86-64"})").target, arch::Isa::kX8664);
}

TEST(ConfigFile, a_bad_value_names_file_key_value_and_what_is_allowed) {
    EXPECT_EQ(refusal(R"({"runc": "bin/runc"})"),
              R"("/f": key "runc": "bin/runc" is not allowed; allowed: an absolute path, or a name without a slash )"
              "to be found on PATH");
    EXPECT_EQ(refusal(R"({"criu": ""})"),
              R"("/f": key "criu": "" is not allowed; allowed: an absolute path, or a name )"
              "without a slash to be found on PATH");
    EXPECT_EQ(refusal(R"({"unmigratable": "ignore"})"),
              R"("/f": key "unmigratable": "ignore" is not allowed; allowed: "pass", "refuse")");
    EXPECT_EQ(refusal(R"({"tcp": true})"),
              R"("/f": key "tcp": true is not allowed; allowed: "refuse", "established", "close")");
    EXPECT_EQ(
        refusal(R"({"network-lock": ["skip"]})"),
        R"("/f": key "network-lock": ["skip"] is not allowed; allowed: "default", "iptables", "nftables", "skip")");
    EXPECT_EQ(refusal(R"({"target": "riscv64"})"),
              R"("/f": key "target": "riscv64" is not allowed; allowed: "x86-64", "aarch64", "other")");
    EXPECT_EQ(refusal(R"({"state-directory": "run"})"),
              R"("/f": key "state-directory": "run" is not allowed; allowed: an absolute path)");
    EXPECT_EQ(refusal(R"({"log-directory": ""})"),
              R"("/f": key "log-directory": "" is not allowed; allowed: an absolute path)");
    EXPECT_EQ(refusal(R"({"debug-log": "log\u0000"})"),
              R"("/f": key "debug-log": "log\x00" is not allowed; allowed: an absolute path, or "")");
}

TEST(ConfigFile, a_timeout_has_a_unit_and_limits) {
    EXPECT_EQ(accepted(R"({"notify-timeout": "1ms"})").notify_timeout, std::chrono::milliseconds(1));
    EXPECT_EQ(accepted(R"({"notify-timeout": "90s"})").notify_timeout, std::chrono::seconds(90));
    EXPECT_EQ(accepted(R"({"notify-timeout": "1h"})").notify_timeout, std::chrono::hours(1));
    for (std::string value : {"10", "0s", "-1s", "2h", "61m", "18446744073709551616ms", "1.5s", "s", " 1s", "1s "})
        EXPECT_EQ(refusal("{\"notify-timeout\": \"" + value + "\"}"),
                  "\"/f\": key \"notify-timeout\": \"" + value +
                      R"(" is not allowed; allowed: from "1ms" to "1h", in ms, s, m or h)");
}

TEST(ConfigFile, an_unknown_key_is_refused) {
    EXPECT_EQ(refusal(R"({"timeout": "1s"})"),
              R"("/f": key "timeout": this key is not allowed; allowed: "runc", "criu", "notify-timeout", )"
              R"("unmigratable", "tcp", "network-lock", "target", "state-directory", "log-directory", "debug-log")");
}

TEST(ConfigFile, what_is_no_json_object_is_refused) {
    EXPECT_EQ(refusal("[]"), "\"/f\": not a JSON object");
    EXPECT_EQ(refusal("{} // mine"), "\"/f\": line 1, column 4: not JSON");
    EXPECT_EQ(refusal(R"({"tcp": "close", "tcp": "refuse"})"), "\"/f\": member \"tcp\" stands twice in one object");
}

TEST(ConfigAnnotations, override_the_file) {
    Config config = accepted(R"({"tcp": "close", "notify-timeout": "1s"})",
                             {{"org.hrunc.tcp", "established"}, {"org.other.tcp", "nonsense"}});
    EXPECT_EQ(config.tcp, Tcp::kEstablished);
    EXPECT_EQ(config.notify_timeout, std::chrono::seconds(1));
}

TEST(ConfigAnnotations, a_bad_value_is_named) {
    EXPECT_EQ(
        refusal("{}", {{"org.hrunc.tcp", "x"}}),
        R"(config.json: annotation "org.hrunc.tcp": "x" is not allowed; allowed: "refuse", "established", "close")");
}

TEST(ConfigAnnotations, an_unknown_one_is_refused) {
    EXPECT_EQ(refusal("{}", {{"org.hrunc.timeout", "1s"}}),
              R"(config.json: annotation "org.hrunc.timeout": this key is not allowed; allowed: "notify-timeout", )"
              R"("unmigratable", "tcp", "network-lock", "target")");
}

TEST(ConfigAnnotations, cannot_name_programs_or_paths) {
    for (ConfigKey key : config_keys()) {
        if (key.per_container) continue;
        std::string name = "org.hrunc." + std::string(key.name);
        EXPECT_EQ(refusal("{}", {{name, "/bin/sh"}}), "config.json: annotation \"" + name +
                                                          "\": programs and paths are set in \"" + kConfigFile +
                                                          "\" only");
    }
}

class LoadConfig : public TemporaryDirectory {
  protected:
    std::string refusal_of_file() const {
        Result<Config> config = load_config(path("c.json"), {});
        return config ? "accepted" : config.error().text();
    }
};

TEST_F(LoadConfig, a_missing_file_gives_the_defaults) {
    Result<Config> config = load_config(path("c.json"), {});
    ASSERT_TRUE(config) << config.error().text();
    EXPECT_EQ(config->runc, "runc");
    EXPECT_EQ(config->notify_timeout, std::chrono::seconds(10));
}

TEST_F(LoadConfig, a_file_that_others_can_write_is_refused) {
    write("c.json", "{}", 0664);
    EXPECT_EQ(refusal_of_file(), "\"" + path("c.json") + "\": is writable by its group or by others");
}

TEST_F(LoadConfig, a_file_of_another_user_is_refused) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    write("c.json", "{}");
    ASSERT_EQ(chown(path("c.json").c_str(), 1234, 0), 0);
    EXPECT_EQ(refusal_of_file(), "\"" + path("c.json") + "\": belongs to user 1234; allowed: root, or who runs hrunc");
}

TEST_F(LoadConfig, a_large_file_is_refused) {
    write("c.json", std::string(65537, ' '));
    EXPECT_EQ(refusal_of_file(), "\"" + path("c.json") + "\": larger than the limit of 65536 bytes");
}

TEST_F(LoadConfig, a_directory_is_refused) {
    Result<Config> config = load_config(directory_, {});
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().text(), "\"" + directory_ + "\": not a regular file");
}

TEST_F(LoadConfig, runc_is_found_although_another_key_is_wrong) {
    write("c.json", R"({"tcp": "nonsense", "runc": "/opt/runc"})");
    Result<std::string> runc = load_runc(path("c.json"));
    ASSERT_TRUE(runc) << runc.error().text();
    EXPECT_EQ(*runc, "/opt/runc");
}

TEST_F(LoadConfig, a_bad_runc_is_named) {
    write("c.json", R"({"runc": 1})");
    Result<std::string> runc = load_runc(path("c.json"));
    ASSERT_FALSE(runc);
    EXPECT_EQ(runc.error().text(), "\"" + path("c.json") +
                                       "\": key \"runc\": 1 is not allowed; allowed: an absolute path, or a name "
                                       "without a slash to be found on PATH");
}

} // namespace
} // namespace hrunc::shim
