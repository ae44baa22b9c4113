#include "shim/daemon_json.h"

#include <gtest/gtest.h>

namespace hrunc::shim {
namespace {

const Registration kHere{"/usr/local/bin/hrunc"};

DaemonJsonEdit registered(std::string_view text, const Registration &registration = kHere) {
    Result<DaemonJsonEdit> edit = register_runtime(text, registration);
    EXPECT_TRUE(edit) << edit.error().text();
    return edit ? *edit : DaemonJsonEdit();
}

DaemonJsonEdit unregistered(std::string_view text, std::string_view before) {
    Result<DaemonJsonEdit> edit = unregister_runtime(text, before, kHere);
    EXPECT_TRUE(edit) << edit.error().text();
    return edit ? *edit : DaemonJsonEdit();
}

std::string refusal(std::string_view text) {
    Result<DaemonJsonEdit> edit = register_runtime(text, kHere);
    return edit ? "accepted" : edit.error().text();
}

constexpr const char *kAll = R"({
    "experimental": true,
    "runtimes": {
        "hrunc": {
            "path": "/usr/local/bin/hrunc"
        }
    }
}
)";

TEST(DaemonJson, without_a_file_it_is_the_documented_snippet) {
    EXPECT_EQ(registered("").text, kAll);
    EXPECT_EQ(registered(" \n").text, kAll);
    EXPECT_EQ(registered("{}").text, kAll);
}

TEST(DaemonJson, other_members_stay_in_their_order_and_with_their_indentation) {
    EXPECT_EQ(
        registered("{\n  \"storage-driver\": \"overlay2\",\n  \"runtimes\": {\n    \"other\": {\n      \"path\": "
                   "\"/o\"\n    }\n  },\n  \"dns\": [\"1.1.1.1\"],\n  \"unknown\": 1.50\n}\n")
            .text,
        "{\n  \"storage-driver\": \"overlay2\",\n  \"runtimes\": {\n    \"other\": {\n      \"path\": \"/o\"\n    "
        "},\n    \"hrunc\": {\n      \"path\": \"/usr/local/bin/hrunc\"\n    }\n  },\n  \"dns\": [\n    "
        "\"1.1.1.1\"\n  ],\n  \"unknown\": 1.5,\n  \"experimental\": true\n}\n");
    EXPECT_EQ(registered("{\n\t\"experimental\": true\n}").text,
              "{\n\t\"experimental\": true,\n\t\"runtimes\": {\n\t\t\"hrunc\": {\n\t\t\t\"path\": "
              "\"/usr/local/bin/hrunc\"\n\t\t}\n\t}\n}\n");
}

TEST(DaemonJson, a_second_time_changes_nothing) {
    for (const char *text : {"", "{\"experimental\": false, \"runtimes\": {\"a\": {\"path\": \"b\"}}}"}) {
        DaemonJsonEdit once = registered(text);
        DaemonJsonEdit twice = registered(once.text);
        EXPECT_EQ(twice.text, once.text);
        EXPECT_EQ(twice.changes, std::vector<DaemonJsonChange>());
    }
    // Not even the formatting of a file that says all of it already.
    std::string flat = R"({"experimental":true,"runtimes":{"hrunc":{"path":"/usr/local/bin/hrunc","x":1}}})";
    EXPECT_EQ(registered(flat).text, flat);
}

TEST(DaemonJson, every_change_is_told) {
    EXPECT_EQ(registered(R"({"experimental": false, "runtimes": {}})").changes,
              (std::vector<DaemonJsonChange>{{"experimental", "false", "true"},
                                             {"runtimes.hrunc", "", R"({"path":"/usr/local/bin/hrunc"})"}}));
    EXPECT_EQ(registered(R"({"experimental": true, "runtimes": {"hrunc": {"path": "/old", "x": 1}}})").changes,
              (std::vector<DaemonJsonChange>{{"runtimes.hrunc.path", "\"/old\"", "\"/usr/local/bin/hrunc\""}}));
    EXPECT_EQ(registered("").changes.back().key, "runtimes");
}

TEST(DaemonJson, experimental_is_left_alone_where_the_command_line_says_it) {
    DaemonJsonEdit edit = registered("", {"/h", false});
    EXPECT_EQ(edit.text.find("experimental"), std::string::npos);
    EXPECT_NE(edit.text.find("\"/h\""), std::string::npos);
}

TEST(DaemonJson, what_dockerd_would_not_take_is_refused_by_name) {
    EXPECT_EQ(refusal("{\n  \"a\": 1,\n}"), "line 3, column 1: not JSON");
    EXPECT_EQ(refusal("{\"a\": 1, \"a\": 2}"), "member \"a\" stands twice in one object");
    EXPECT_EQ(refusal("[]"), "not a JSON object");
    EXPECT_EQ(refusal(R"({"experimental": "yes"})"), "\"experimental\": neither true nor false");
    EXPECT_EQ(refusal(R"({"runtimes": []})"), "\"runtimes\": not an object");
    EXPECT_EQ(refusal(R"({"runtimes": {"hrunc": "x"}})"), "\"runtimes.hrunc\": not an object");
    EXPECT_EQ(refusal(R"({"runtimes": {"hrunc": {"runtimeType": "x"}}})"),
              R"("runtimes.hrunc": has "runtimeType", beside which Docker allows no "path"; take it out)");
}

TEST(DaemonJson, the_way_back_gives_the_first_text_to_the_byte) {
    for (const char *text : {"", "{}", "{ \"debug\" :true}", "{\"runtimes\": {}}", "{\n\t\"experimental\": false\n}\n",
                             R"({"runtimes": {"hrunc": {"path": "/old"}}})", R"({"experimental": true})"}) {
        DaemonJsonEdit there = registered(text);
        EXPECT_EQ(unregistered(there.text, text).text, text);
    }
}

TEST(DaemonJson, the_way_back_keeps_what_others_have_changed_since) {
    EXPECT_EQ(unregistered(R"({"experimental": true, "runtimes": {"hrunc": {"path": "/usr/local/bin/hrunc"},
                               "new": {"path": "/new"}}, "debug": true})",
                           "{}")
                  .text,
              "{\n    \"runtimes\": {\n        \"new\": {\n            \"path\": \"/new\"\n        }\n    },\n    "
              "\"debug\": true\n}\n");
    // Switched off since: that is not setup's any more.
    EXPECT_EQ(unregistered(R"({"experimental": false})", "{}").changes, std::vector<DaemonJsonChange>());
    // A path that somebody set since, in an entry that was there before.
    EXPECT_EQ(
        unregistered(R"({"runtimes": {"hrunc": {"path": "/new"}}})", R"({"runtimes": {"hrunc": {"path": "/old"}}})")
            .changes,
        std::vector<DaemonJsonChange>());
}

TEST(DaemonJson, the_default_runtime_is_not_taken_away) {
    std::string text = registered(R"({"default-runtime": "hrunc"})").text;
    Result<DaemonJsonEdit> edit = unregister_runtime(text, "{}", kHere);
    ASSERT_FALSE(edit);
    EXPECT_EQ(edit.error().text(),
              "\"default-runtime\" is \"hrunc\", and dockerd would not start without that runtime: "
              "set another one first");
}

TEST(DaemonJson, a_backup_that_is_none_is_refused) {
    Result<DaemonJsonEdit> edit = unregister_runtime("{}", "{", kHere);
    ASSERT_FALSE(edit);
    EXPECT_EQ(edit.error().text(), "the backup: line 1, column 2: ends within a value");
}

} // namespace
} // namespace hrunc::shim
