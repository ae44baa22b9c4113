#include "shim/capture.h"

#include <gtest/gtest.h>

namespace hrunc::shim {
namespace {

TEST(Capture, gives_output_and_exit_code) {
    Result<Captured> captured = capture("/bin/sh", {"sh", "-c", "printf '%s' \"$0 $1\"; exit 7", "a b", "c"}, 100);
    ASSERT_TRUE(captured) << captured.error().text();
    EXPECT_EQ(captured->output, "a b c");
    EXPECT_EQ(captured->exit_code, 7);
}

TEST(Capture, a_signal_counts_from_128) {
    Result<Captured> captured = capture("/bin/sh", {"sh", "-c", "kill -KILL $$"}, 100);
    ASSERT_TRUE(captured) << captured.error().text();
    EXPECT_EQ(captured->exit_code, 137);
}

TEST(Capture, too_much_output_is_an_error_and_does_not_hang) {
    Result<Captured> captured = capture("/bin/sh", {"sh", "-c", "yes"}, 100);
    ASSERT_FALSE(captured);
    EXPECT_EQ(captured.error().text(), "output of \"/bin/sh\": larger than the limit of 100 bytes");
}

TEST(Capture, a_missing_program_is_named) {
    Result<Captured> captured = capture("/nowhere/runc", {"runc"}, 100);
    ASSERT_FALSE(captured);
    EXPECT_EQ(captured.error().text(), "start \"/nowhere/runc\": No such file or directory");
}

} // namespace
} // namespace hrunc::shim
