#include "shim/log.h"

#include <cstdlib>

#include "temporary_directory.h"

namespace hrunc::shim {
namespace {

class Log : public TemporaryDirectory {
  protected:
    void SetUp() override {
        TemporaryDirectory::SetUp();
        set_zone("UTC");
    }
    void TearDown() override {
        EXPECT_TRUE(open_log({}));
        EXPECT_TRUE(open_debug_log(""));
        TemporaryDirectory::TearDown();
    }
    static void set_zone(const char *zone) {
        setenv("TZ", zone, 1);
        tzset();
    }
};

constexpr std::time_t kTime = 1'700'000'000;

TEST_F(Log, a_text_line_is_what_runc_writes) {
    EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kError, "container does not exist", kTime),
              "time=\"2023-11-14T22:13:20Z\" level=error msg=\"container does not exist\"\n");
    EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kWarning, "plain-word_1/@^+.", kTime),
              "time=\"2023-11-14T22:13:20Z\" level=warning msg=plain-word_1/@^+.\n");
    EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kInfo, "", kTime),
              "time=\"2023-11-14T22:13:20Z\" level=info msg=\n");
}

TEST_F(Log, a_text_message_is_one_line_whatever_it_holds) {
    EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kDebug, "a\nb\t\"c\"\\\x1b ü", kTime),
              "time=\"2023-11-14T22:13:20Z\" level=debug msg=\"a\\nb\\t\\\"c\\\"\\\\\\x1b ü\"\n");
}

TEST_F(Log, a_json_line_is_what_runc_writes) {
    EXPECT_EQ(log_line(LogFormat::kJson, LogLevel::kError, "say \"x\"\n", kTime),
              "{\"level\":\"error\",\"msg\":\"say \\\"x\\\"\\n\",\"time\":\"2023-11-14T22:13:20Z\"}\n");
}

TEST_F(Log, what_is_no_utf8_is_replaced_in_json) {
    EXPECT_EQ(log_line(LogFormat::kJson, LogLevel::kError, "a\xff", kTime),
              "{\"level\":\"error\",\"msg\":\"a\xef\xbf\xbd\",\"time\":\"2023-11-14T22:13:20Z\"}\n");
}

TEST_F(Log, the_time_names_its_zone) {
    set_zone("XST-3:30");
    EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kInfo, "a", kTime),
              "time=\"2023-11-15T01:43:20+03:30\" level=info msg=a\n");
    set_zone("XST5");
    EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kInfo, "a", kTime),
              "time=\"2023-11-14T17:13:20-05:00\" level=info msg=a\n");
}

TEST_F(Log, is_appended_to_and_leaves_debug_out_unless_asked) {
    write("log", "before\n");
    ASSERT_TRUE(open_log({path("log"), LogFormat::kJson, false, true}));
    log(LogLevel::kDebug, "hidden");
    log(LogLevel::kInfo, "shown");
    EXPECT_EQ(fatal(Error(ErrorCode::kInvalid, "the end")), 1);
    std::string text = read(path("log"));
    EXPECT_TRUE(text.starts_with("before\n{\"level\":\"info\",\"msg\":\"shown\",")) << text;
    EXPECT_NE(text.find("{\"level\":\"error\",\"msg\":\"the end\","), std::string::npos) << text;

    ASSERT_TRUE(open_log({path("log"), LogFormat::kText, true, true}));
    log(LogLevel::kDebug, "seen");
    EXPECT_NE(read(path("log")).find("level=debug msg=seen\n"), std::string::npos);
}

TEST_F(Log, the_debug_log_has_everything) {
    ASSERT_TRUE(open_log({path("log"), LogFormat::kJson, false, true}));
    ASSERT_TRUE(open_debug_log(path("debug")));
    log(LogLevel::kDebug, "one");
    log(LogLevel::kError, "two");
    std::string text = read(path("debug"));
    EXPECT_NE(text.find("level=debug msg=one\n"), std::string::npos) << text;
    EXPECT_NE(text.find("level=error msg=two\n"), std::string::npos) << text;
}

TEST_F(Log, a_file_that_cannot_be_opened_is_named) {
    Result<void> opened = open_log({path("none/log")});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().text(), "--log: open \"" + path("none/log") + "\": No such file or directory");
}

TEST_F(Log, the_error_that_ends_a_call_is_on_stderr_too) {
    ASSERT_TRUE(open_log({path("log"), LogFormat::kJson, false, false}));
    testing::internal::CaptureStderr();
    EXPECT_EQ(fatal(Error(ErrorCode::kInvalid, "the end")), 1);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "the end\n");
}

TEST_F(Log, a_container_never_sees_the_log_of_its_restore) {
    ASSERT_TRUE(open_log({path("log"), LogFormat::kJson, false, true}));
    testing::internal::CaptureStderr();
    log(LogLevel::kError, "a problem");
    EXPECT_EQ(fatal(Error(ErrorCode::kInvalid, "the end")), 1);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");

    ASSERT_TRUE(open_log({"", LogFormat::kText, false, true}));
    testing::internal::CaptureStderr();
    log(LogLevel::kWarning, "a problem");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

} // namespace
} // namespace hrunc::shim
