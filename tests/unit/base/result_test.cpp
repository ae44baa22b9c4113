#include "base/result.h"

#include <gtest/gtest.h>

namespace hrunc {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return Error(ErrorCode::kInvalid, "odd");
    return number / 2;
}

Result<int> quarter(int number) {
    HRUNC_ASSIGN_IN(int once, half(number), "first half");
    HRUNC_ASSIGN_IN(int twice, half(once), "second half");
    return twice;
}

TEST(Result, GivesTheValue) {
    EXPECT_EQ(*quarter(12), 3);
}

TEST(Result, PutsOuterActsInFront) {
    EXPECT_EQ(quarter(6).error().text(), "second half: odd");
    EXPECT_EQ(std::move(quarter(6).error()).in("quarter 6").text(), "quarter 6: second half: odd");
}

TEST(Result, KeepsTheErrnoThroughContext) {
    Error error = Error::system("open \"x\"", ENOENT).in("read configuration");
    EXPECT_EQ(error.system_errno(), ENOENT);
    EXPECT_EQ(error.text(), "read configuration: open \"x\": No such file or directory");
}

} // namespace
} // namespace hrunc
