#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace hrunc {
namespace {

class FdTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "fd_test.XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string path(const std::string &name) const { return directory_ + "/" + name; }

    std::string directory_;
};

TEST_F(FdTest, ReadsBackWhatWasWrittenAtomically) {
    ASSERT_TRUE(write_file_atomically(path("a"), "hello", 0600).ok());
    ASSERT_TRUE(write_file_atomically(path("a"), "world", 0640).ok());
    EXPECT_EQ(*read_file(path("a"), 5), "world");
    struct stat status{};
    ASSERT_EQ(stat(path("a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(FdTest, RefusesAFileAboveTheLimit) {
    ASSERT_TRUE(write_file_atomically(path("a"), "hello", 0600).ok());
    EXPECT_EQ(read_file(path("a"), 4).error().text(), "\"" + path("a") + "\": larger than the limit of 4 bytes");
}

TEST_F(FdTest, AShortFileIsAnErrorThatSaysWhere) {
    ASSERT_TRUE(write_file_atomically(path("a"), "hello", 0600).ok());
    Fd fd = *open_file(path("a"), O_RDONLY);
    char bytes[8];
    EXPECT_EQ(read_exactly_at(fd, bytes, 4, 3).error().text(), "ends at offset 5, 2 bytes short");
}

TEST_F(FdTest, NothingLeadsOutOfADirectoryThatIsNotTrusted) {
    ASSERT_EQ(symlink("/etc/passwd", path("link").c_str()), 0);
    Fd directory = *open_file(directory_, O_PATH | O_DIRECTORY);
    EXPECT_EQ(open_beneath(directory, "link", O_RDONLY).error().system_errno(), ELOOP);
    EXPECT_EQ(open_beneath(directory, "../etc/passwd", O_RDONLY).error().system_errno(), EXDEV);
    EXPECT_EQ(open_beneath(directory, "/etc/passwd", O_RDONLY).error().system_errno(), EXDEV);
}

TEST_F(FdTest, ARootIsTheRootOfAbsoluteLinksToo) {
    ASSERT_TRUE(write_file_atomically(path("program"), "inside", 0700).ok());
    ASSERT_EQ(symlink("/../../program", path("link").c_str()), 0);
    Fd root = *open_file(directory_, O_PATH | O_DIRECTORY);
    Result<Fd> fd = open_in_root(root, "/link", O_RDONLY);
    ASSERT_TRUE(fd.ok()) << fd.error().text();
    EXPECT_EQ(*read_to_end(*fd, 100), "inside");
}

TEST_F(FdTest, MovingLeavesNoSecondOwner) {
    Fd fd = *open_file(directory_, O_RDONLY);
    int number = fd.get();
    Fd other = std::move(fd);
    EXPECT_EQ(other.get(), number);
    other.reset();
    EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

} // namespace
} // namespace hrunc
