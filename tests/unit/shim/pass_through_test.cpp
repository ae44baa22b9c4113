#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <regex>

#include "oci/json.h"
#include "temporary_directory.h"

namespace hrunc::shim {
namespace {

class PassThrough : public TemporaryDirectory {
  protected:
    // hrunc with the configuration `name` of the test's directory.
    Outcome hrunc(std::vector<std::string> arguments, Call call = {}) const {
        arguments.insert(arguments.begin(), HRUNC_PROGRAM);
        call.argv = std::move(arguments);
        call.environment.try_emplace("HRUNC_CONFIG", path("hrunc.json"));
        return run(call);
    }
    void configure_runc(const std::string &program) const { write("hrunc.json", R"({"runc": ")" + program + "\"}"); }
    // Configures a script in runc's place.
    void script(const std::string &text) const {
        write("fake-runc", "#!/bin/sh\n" + text + "\n", 0755);
        configure_runc(path("fake-runc"));
    }
};

TEST_F(PassThrough, runc_takes_the_place_of_the_process) {
    script("echo $$");
    Outcome outcome = hrunc({"state", "c1"});
    EXPECT_EQ(outcome.output, std::to_string(outcome.pid) + "\n");
}

TEST_F(PassThrough, every_argument_arrives_as_it_is) {
    script("printf '<%s>' \"$@\"");
    EXPECT_EQ(hrunc({"--later=1", "-x", "", "verb", "a b", "*", "--", "\n", "$HOME"}).output,
              "<--later=1><-x><><verb><a b><*><--><\n><$HOME>");
}

TEST_F(PassThrough, the_exit_code_and_the_signal_are_runcs) {
    script("exit 42");
    EXPECT_EQ(hrunc({"state", "c1"}).exit_code, 42);
    script("kill -TERM $$");
    EXPECT_EQ(hrunc({"state", "c1"}).exit_code, 128 + SIGTERM);
}

TEST_F(PassThrough, descriptors_are_inherited_and_none_is_added) {
    write("given", "through descriptor 7");
    script("cat <&7; for fd in /proc/$$/fd/*; do printf ' %s' \"${fd##*/}\"; done");
    Call call;
    call.descriptors[7] = path("given");
    std::string inherited = hrunc({"state", "c1"}, call).output;
    EXPECT_TRUE(inherited.starts_with("through descriptor 7 0 1 ")) << inherited;
    call.argv = {path("fake-runc")};
    EXPECT_EQ(inherited, run(call).output);
}

TEST_F(PassThrough, environment_and_working_directory_stay) {
    script("echo \"$HRUNC_TEST $PWD\"");
    Call call;
    call.environment["HRUNC_TEST"] = "kept";
    call.directory = directory_;
    EXPECT_EQ(hrunc({"state", "c1"}, call).output, "kept " + directory_ + "\n");
}

TEST_F(PassThrough, a_name_is_looked_up_on_path) {
    write("other-runc", "#!/bin/sh\necho \"$0\"\n", 0755);
    configure_runc("other-runc");
    Call call;
    call.environment["PATH"] = "/nowhere:" + directory_;
    EXPECT_EQ(hrunc({"state", "c1"}, call).output, path("other-runc") + "\n");
}

TEST_F(PassThrough, a_runc_that_is_not_there_is_named_with_its_key_and_file) {
    configure_runc("/opt/runc");
    Outcome outcome = hrunc({"state", "c1"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.errors.find("runc \\\"/opt/runc\\\" (key \\\"runc\\\" of \\\"" + path("hrunc.json") +
                                  "\\\"): No such file or directory"),
              std::string::npos)
        << outcome.errors;
}

TEST_F(PassThrough, a_runc_that_is_not_on_path_is_named_with_the_path) {
    Call call;
    call.environment["PATH"] = "/nowhere:relative";
    Outcome outcome = hrunc({"--log", path("log"), "--log-format", "json", "state", "c1"}, call);
    EXPECT_EQ(outcome.exit_code, 1);
    std::string text =
        "runc \"runc\" (key \"runc\" of \"" + path("hrunc.json") + "\"): not found on PATH \"/nowhere:relative\"";
    EXPECT_EQ(outcome.errors, text + "\n");
    Result<oci::Json> line = oci::parse_json(read(path("log")));
    ASSERT_TRUE(line) << line.error().text();
    EXPECT_EQ((*line)["level"], "error");
    EXPECT_EQ((*line)["msg"], text);
}

TEST_F(PassThrough, a_runc_that_is_hrunc_is_refused_and_skipped_on_path) {
    std::filesystem::create_symlink(HRUNC_PROGRAM, path("runc"));
    configure_runc(path("runc"));
    EXPECT_NE(hrunc({"state", "c1"}).errors.find("that is hrunc itself"), std::string::npos);

    std::filesystem::create_directory(path("next"));
    write("next/runc", "#!/bin/sh\necho found\n", 0755);
    configure_runc("runc");
    Call call;
    call.environment["PATH"] = directory_ + ":" + path("next");
    EXPECT_EQ(hrunc({"state", "c1"}, call).output, "found\n");
}

TEST_F(PassThrough, a_broken_configuration_file_is_named) {
    write("hrunc.json", "{");
    Outcome outcome = hrunc({"--log", path("log"), "state", "c1"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors, "\"" + path("hrunc.json") + "\": line 1, column 2: ends within a value\n");
}

// The real runc beside hrunc. Times and process numbers differ from call to call.
class BesideRunc : public PassThrough {
  protected:
    void SetUp() override {
        PassThrough::SetUp();
        if (run({{"sh", "-c", "command -v runc"}, {}, {}, {}}).exit_code != 0) GTEST_SKIP() << "needs runc";
    }

    static std::string normal(const std::string &text) {
        std::string out = std::regex_replace(text, std::regex("[0-9-]{10}T[0-9:.]+Z"), "TIME");
        out = std::regex_replace(out, std::regex("\"pid\": [1-9][0-9]*"), "\"pid\": PID");
        return std::regex_replace(out, std::regex("[1-9][0-9]{2,}"), "NUMBER");
    }

    void expect_equal(const Outcome &ours, const Outcome &runcs) {
        EXPECT_EQ(ours.exit_code, runcs.exit_code);
        EXPECT_EQ(normal(ours.output), normal(runcs.output));
        EXPECT_EQ(normal(ours.errors), normal(runcs.errors));
    }

    void expect_equal(const std::vector<std::string> &arguments) {
        SCOPED_TRACE(testing::PrintToString(arguments));
        std::vector<std::string> argv = arguments;
        argv.insert(argv.begin(), "runc");
        Call call;
        call.directory = directory_;
        Outcome ours = hrunc(arguments, call);
        call.argv = argv;
        expect_equal(ours, run(call));
    }
};

TEST_F(BesideRunc, every_verb_answers_alike_for_a_container_that_is_not_there) {
    for (const char *verb : {"create", "delete", "events", "exec", "kill", "list", "pause", "ps", "restore", "resume",
                             "run", "start", "state", "update"}) {
        expect_equal({"--root", path("root"), verb, "nothing"});
        expect_equal({"--root", path("root"), verb});
        expect_equal({"--root", path("root"), verb, "--help"});
        expect_equal({"--root", path("root"), verb, "--no-such-option", "nothing"});
    }
}

TEST_F(BesideRunc, mistakes_are_answered_alike) {
    expect_equal({"no-such-verb"});
    expect_equal({"--no-such-option", "state", "c1"});
    expect_equal({"--log-format", "xml", "state", "c1"});
    expect_equal({"--root"});
    expect_equal({"--root", path("root"), "checkpoint"});
    expect_equal({"--root", path("root"), "checkpoint", "--help"});
    expect_equal({"help", "state"});
    expect_equal({"features", "--help"});
    expect_equal({"--debug", "--root", path("root"), "state", "c1"});
}

TEST_F(BesideRunc, the_log_file_is_alike) {
    for (std::string format : {"text", "json"}) {
        run({{"runc", "--log", path("runcs"), "--log-format", format, "state", "nothing"}, {}, {}, {}});
        hrunc({"--log", path("ours"), "--log-format", format, "state", "nothing"});
        EXPECT_EQ(normal(read(path("ours"))), normal(read(path("runcs"))));
    }
}

TEST_F(BesideRunc, a_container_lives_alike) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    std::filesystem::create_directories(path("rootfs"));
    std::filesystem::copy_file(SLEEPER_PROGRAM, path("rootfs/sleeper"));
    ASSERT_EQ(run({{"runc", "spec"}, {}, directory_, {}}).exit_code, 0);
    Result<oci::Json> spec = oci::read_json(path("config.json"), 1 << 20);
    ASSERT_TRUE(spec) << spec.error().text();
    (*spec)["process"]["terminal"] = false;
    (*spec)["process"]["args"] = {"/sleeper", "1000"};
    write("config.json", oci::to_text(*spec));
    std::string id = "hrunc-test-" + std::to_string(getpid());

    std::vector<std::vector<std::string>> life{
        {"create", "--pid-file", path("pid"), id},
        {"state", id},
        {"list", "--quiet"},
        {"start", id},
        {"exec", id, "/sleeper", "0", "9"},
        {"exec", "--detach", id, "/sleeper", "1000"},
        {"ps", "--format", "json", id},
        {"pause", id},
        {"state", id},
        {"resume", id},
        {"update", "--pids-limit", "50", id},
        {"events", "--stats", "nothing"},
        {"kill", id, "0"},
        {"kill", id, "KILL"},
    };
    std::vector<std::vector<Outcome>> outcomes;
    for (const char *program : {HRUNC_PROGRAM, "runc"}) {
        std::vector<Outcome> lived;
        auto call = [&](const std::vector<std::string> &words) {
            std::vector<std::string> argv{program, "--root", path("root")};
            argv.insert(argv.end(), words.begin(), words.end());
            return run({argv, {{"HRUNC_CONFIG", path("hrunc.json")}}, directory_, {}});
        };
        for (const std::vector<std::string> &words : life) lived.push_back(call(words));
        for (int attempt = 0; attempt < 100 && call({"delete", id}).exit_code != 0; ++attempt) usleep(50'000);
        EXPECT_EQ(call({"state", id}).exit_code, 1) << "the container is still there";
        outcomes.push_back(std::move(lived));
    }
    for (std::size_t at = 0; at < life.size(); ++at) {
        SCOPED_TRACE(testing::PrintToString(life[at]));
        expect_equal(outcomes[0][at], outcomes[1][at]);
    }
    EXPECT_EQ(outcomes[0][0].exit_code, 0) << outcomes[0][0].errors;
    EXPECT_EQ(outcomes[0][4].exit_code, 9) << outcomes[0][4].errors;
}

} // namespace
} // namespace hrunc::shim
