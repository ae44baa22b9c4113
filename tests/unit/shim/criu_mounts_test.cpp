#include "shim/criu_mounts.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/shim/temporary_directory.h"

namespace hrunc::shim {
namespace {

using CriuMounts = TemporaryDirectory;

TEST_F(CriuMounts, AreUnmountedWithAllThatIsBeneathAndRemoved) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    std::string yard = path(".criu.cgyard.abcdef"), beneath = yard + "/unified", kept = path("kept");
    ASSERT_EQ(mkdir(kept.c_str(), 0700), 0);
    ASSERT_EQ(mkdir((kept + "/cgroup").c_str(), 0700), 0);
    ASSERT_EQ(mkdir(yard.c_str(), 0700), 0);
    if (mount("none", yard.c_str(), "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "needs the right to mount";
    ASSERT_EQ(mkdir(beneath.c_str(), 0700), 0);
    ASSERT_EQ(mount(kept.c_str(), beneath.c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_TRUE(remove_criu_mounts(directory_).ok());
    EXPECT_FALSE(std::filesystem::exists(yard));
    EXPECT_TRUE(std::filesystem::exists(kept + "/cgroup")) << "what was mounted there is not criu's to lose";
}

TEST_F(CriuMounts, AreLookedForByNameAlone) {
    write("dump.log", "");
    ASSERT_EQ(mkdir(path(".criu.cgmounts.abcdef").c_str(), 0700), 0); // killed before it mounted
    EXPECT_TRUE(remove_criu_mounts(directory_).ok());
    EXPECT_FALSE(std::filesystem::exists(path(".criu.cgmounts.abcdef")));
    EXPECT_TRUE(std::filesystem::exists(path("dump.log")));
    EXPECT_TRUE(remove_criu_mounts(path("missing")).ok());
}

TEST_F(CriuMounts, AreNotFollowedElsewhere) {
    ASSERT_EQ(mkdir(path("elsewhere").c_str(), 0700), 0);
    ASSERT_EQ(symlink("elsewhere", path(".criu.cgyard.abcdef").c_str()), 0);
    EXPECT_FALSE(remove_criu_mounts(directory_).ok());
    EXPECT_TRUE(std::filesystem::exists(path("elsewhere")));
}

} // namespace
} // namespace hrunc::shim
