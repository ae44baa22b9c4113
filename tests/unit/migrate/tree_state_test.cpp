#include "migrate/tree_state.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/fd.h"

namespace hrunc::migrate {
namespace {

class TreeState : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = std::filesystem::current_path() / "tree.XXXXXX"; // on a disk, as /tmp may not be
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        top = name;
        std::filesystem::create_directories(top + "/a/deep");
        write("a/file", "text");
        write("a/deep/file", "text");
    }
    void TearDown() override { std::filesystem::remove_all(top); }

    void write(const std::string &name, const std::string &text) const { std::ofstream(top + "/" + name) << text; }
    std::optional<std::uint64_t> state() const { return state_of_tree(top + "/a"); }

    std::string top;
};

TEST_F(TreeState, StaysWhileNothingChanges) {
    ASSERT_TRUE(state());
    EXPECT_EQ(state(), state());
    write("beside", "text");
    std::ifstream(top + "/a/file").get();
    EXPECT_EQ(state(), state());
}

TEST_F(TreeState, ChangesWithContentAttributesAndNames) {
    std::string file = top + "/a/deep/file";
    std::vector<std::pair<const char *, std::function<void()>>> changes{
        {"same size", [&] { write("a/deep/file", "TEXT"); }},
        {"mode", [&] { chmod(file.c_str(), 0600); }},
        {"renamed", [&] { std::filesystem::rename(file, file + "2"); }},
        {"removed", [&] { std::filesystem::remove(top + "/a/file"); }},
        {"added", [&] { std::filesystem::create_directory(top + "/a/deep/new"); }},
    };
    for (const auto &[what, change] : changes) {
        std::optional<std::uint64_t> before = state();
        usleep(20000); // change times are as coarse as the kernel's clock tick
        change();
        EXPECT_NE(state(), before) << what;
    }
}

TEST_F(TreeState, ChangesWithAWriteThroughAMappingThatIsThere) {
    Fd file(open((top + "/a/file").c_str(), O_RDWR | O_CLOEXEC));
    void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    ASSERT_NE(page, MAP_FAILED);
    auto *text = static_cast<volatile char *>(page);
    text[0] = 'a';
    sync_tree(top + "/a");
    std::optional<std::uint64_t> before = state();
    usleep(20000);
    text[0] = 'b';
    EXPECT_NE(state(), before);
    munmap(page, 4096);
}

TEST_F(TreeState, IsUnknownWhereADirectoryIsMissingOrOnATmpfs) {
    EXPECT_FALSE(state_of_tree("/dev/shm"));
    EXPECT_FALSE(state_of_tree(top + "/none"));
}

} // namespace
} // namespace hrunc::migrate
