#include "shim/verbs.h"

#include <fstream>

#include "temporary_directory.h"

namespace hrunc::shim {
namespace {

class OwnVerbs : public TemporaryDirectory {
  protected:
    Outcome hrunc(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), HRUNC_PROGRAM);
        return run({arguments, {{"HRUNC_CONFIG", path("hrunc.json")}}, {}, {}});
    }
    void script(const std::string &text) const {
        write("fake-runc", "#!/bin/sh\n" + text + "\n", 0755);
        write("hrunc.json", R"({"runc": ")" + path("fake-runc") + "\"}");
    }
};

TEST_F(OwnVerbs, the_version_begins_with_runcs_lines) {
    script("printf 'runc version 1\\ncommit: 2\\n'");
    Outcome outcome = hrunc({"--version"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(outcome.output.starts_with("runc version 1\ncommit: 2\nhrunc version ")) << outcome.output;
    EXPECT_EQ(outcome.output.substr(outcome.output.find("hrunc version")), version_text());
    EXPECT_EQ(hrunc({"-v"}).output, outcome.output);
}

TEST_F(OwnVerbs, the_version_is_given_without_runc_too_and_the_error_with_it) {
    write("hrunc.json", R"({"runc": "/nowhere/runc"})");
    Outcome outcome = hrunc({"--version"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.output, version_text());
    EXPECT_NE(outcome.errors.find("/nowhere/runc"), std::string::npos);
}

TEST_F(OwnVerbs, no_line_of_the_version_can_be_taken_for_runcs_commit) {
    EXPECT_EQ(version_text().find("\ncommit:"), std::string::npos);
}

TEST_F(OwnVerbs, features_that_runc_does_not_have_stay_its_own_answer) {
    script("echo \"No help topic for 'features'\"; exit 3");
    Outcome outcome = hrunc({"features"});
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_EQ(outcome.output, "No help topic for 'features'\n");
}

TEST_F(OwnVerbs, runc_is_asked_for_features_with_all_global_options) {
    script("[ \"$*\" = '--root /r --debug features' ] && echo '{}'");
    Outcome outcome = hrunc({"--root", "/r", "--debug", "features"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_NE(outcome.output.find("\"org.hrunc.version\""), std::string::npos) << outcome.output;
}

TEST_F(OwnVerbs, help_is_ours_and_then_runcs) {
    script("echo \"runc says $*\"");
    for (const char *word : {"--help", "-h", "help", "h"}) {
        Outcome outcome = hrunc({word});
        EXPECT_EQ(outcome.exit_code, 0);
        EXPECT_TRUE(outcome.output.starts_with("hrunc is runc whose containers move")) << outcome.output;
        EXPECT_TRUE(outcome.output.ends_with("runc says " + std::string(word) + "\n")) << outcome.output;
        for (const Verb &verb : own_verbs())
            EXPECT_NE(outcome.output.find("  " + std::string(verb.name) + " "), std::string::npos);
    }
}

TEST_F(OwnVerbs, help_on_a_verb_is_whose_the_verb_is) {
    script("echo \"runc says $*\"");
    EXPECT_EQ(hrunc({"help", "state"}).output, "runc says help state\n");
    for (const Verb &verb : own_verbs()) {
        Outcome outcome = hrunc({"help", std::string(verb.name)});
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        EXPECT_NE(outcome.output.find("hrunc " + std::string(verb.name) + " "), std::string::npos) << outcome.output;
        EXPECT_EQ(hrunc({std::string(verb.name), "--help"}).output, outcome.output);
    }
}

TEST_F(OwnVerbs, a_call_that_makes_no_sense_is_exit_code_2) {
    for (const Verb &verb : own_verbs()) {
        std::string name(verb.name);
        Outcome outcome = hrunc({name, "--no-such-option"});
        EXPECT_EQ(outcome.exit_code, 2) << name;
        EXPECT_TRUE(outcome.errors.starts_with("hrunc: " + name + ": ")) << outcome.errors;
        EXPECT_TRUE(outcome.errors.ends_with("; see \"hrunc help " + name + "\"\n")) << outcome.errors;
        EXPECT_EQ(outcome.output, "");
    }
}

} // namespace
} // namespace hrunc::shim
