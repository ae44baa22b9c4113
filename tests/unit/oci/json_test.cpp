#include "oci/json.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hrunc::oci {
namespace {

std::string refusal(std::string_view text) {
    Result<Json> json = parse_json(text);
    return json ? "accepted" : json.error().text();
}

TEST(Json, keeps_the_order_of_members_and_what_it_does_not_know) {
    std::string text = R"({"z":1,"a":{"unknown":[1,2.5,null,true]},"m":"x"})";
    Result<Json> json = parse_json(text);
    ASSERT_TRUE(json) << json.error().text();
    EXPECT_EQ(to_text(*json), text);
}

TEST(Json, a_mistake_is_named_by_line_and_column) {
    EXPECT_EQ(refusal("{\n  \"a\": 1,\n  \"b\": tru\n}"), "line 3, column 11: not JSON");
    EXPECT_EQ(refusal("{\"a\": 1} x"), "line 1, column 10: not JSON");
    EXPECT_EQ(refusal("{ // comment\n}"), "line 1, column 3: not JSON");
}

TEST(Json, a_document_that_stops_early_is_refused) {
    EXPECT_EQ(refusal(""), "line 1, column 1: ends within a value");
    EXPECT_EQ(refusal("{\"a\": [1,"), "line 1, column 10: ends within a value");
}

TEST(Json, a_member_that_stands_twice_is_refused) {
    EXPECT_EQ(refusal(R"({"a": {"b": 1, "b": 2}})"), "member \"b\" stands twice in one object");
    EXPECT_EQ(refusal(R"([{"b": 1}, {"b": 2}])"), "accepted");
}

TEST(Json, nesting_has_a_limit) {
    EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "accepted");
    EXPECT_EQ(refusal(std::string(65, '[') + std::string(65, ']')), "nested deeper than 64 levels");
    EXPECT_EQ(refusal(std::string(1'000'000, '[')), "nested deeper than 64 levels");
}

TEST(Json, the_members_of_an_object_have_a_limit) {
    std::string text = "{\"0\":0";
    for (int at = 1; at < 1024; ++at) text += ",\"" + std::to_string(at) + "\":0";
    EXPECT_EQ(refusal(text + "}"), "accepted");
    EXPECT_EQ(refusal(text + ",\"1024\":0}"), "an object with more than 1024 members");
}

TEST(Json, text_that_is_no_utf8_is_refused) {
    EXPECT_EQ(refusal("[\"\xff\"]"), "line 1, column 3: not JSON");
}

TEST(Json, a_number_that_no_double_can_hold_is_refused) {
    EXPECT_EQ(refusal("[1e999]"), "line 1, column 6: not JSON");
}

TEST(Quoted, control_characters_and_quotes_are_escaped) {
    EXPECT_EQ(in_quotes("a\"b\\c\n\x1b"), R"("a\"b\\c\x0a\x1b")");
}

TEST(Quoted, a_long_text_is_cut) {
    EXPECT_EQ(in_quotes(std::string(300, 'x')), "\"" + std::string(200, 'x') + "…\"");
}

class ReadJson : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "hrunc-json-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
        path_ = directory_ + "/a.json";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string refusal_of_file(std::size_t limit) const {
        Result<Json> json = read_json(path_, limit);
        return json ? "accepted" : json.error().text();
    }

    std::string directory_, path_;
};

TEST_F(ReadJson, a_missing_file_is_named) {
    EXPECT_EQ(refusal_of_file(10), "open \"" + path_ + "\": No such file or directory");
}

TEST_F(ReadJson, a_file_above_the_limit_is_refused) {
    std::ofstream(path_) << "[1,2,3,4,5]";
    EXPECT_EQ(refusal_of_file(11), "accepted");
    EXPECT_EQ(refusal_of_file(10), "\"" + path_ + "\": larger than the limit of 10 bytes");
}

TEST_F(ReadJson, a_fifo_is_refused_without_waiting_for_a_writer) {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(refusal_of_file(10), "\"" + path_ + "\": not a regular file");
}

TEST_F(ReadJson, a_mistake_names_the_file) {
    std::ofstream(path_) << "[1,]";
    EXPECT_EQ(refusal_of_file(10), "\"" + path_ + "\": line 1, column 4: not JSON");
}

} // namespace
} // namespace hrunc::oci
