#include "migrate/page_hashes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hrunc::migrate {
namespace {

class HashedStore : public testing::Test {
  protected:
    HashedStore() { EXPECT_NE(mkdtemp(store.data()), nullptr); }
    ~HashedStore() override { std::filesystem::remove_all(store); }

    void append(const std::string &name, const std::string &bytes) const {
        std::ofstream(store + "/" + name, std::ios::app) << bytes;
    }

    std::string store = testing::TempDir() + "hashes.XXXXXX";
    std::size_t size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::string a = std::string(size, 'a'), b = std::string(size, 'b');
    std::uint64_t of_a = XXH3_64bits(a.data(), size), of_b = XXH3_64bits(b.data(), size);
};

TEST_F(HashedStore, IsFollowedAsItsFilesGrow) {
    append("pages-1.img", a);
    PageHashes hashes(store);
    for (int round = 0; round < 20; ++round) {
        append("pages-1.img", b.substr(0, size / 2));
        usleep(2000);
        append("pages-1.img", b.substr(size / 2));
    }
    append("pages-2.img", b + a);
    hashes.end();
    std::vector<std::uint64_t> expected(21, of_b);
    expected[0] = of_a;
    EXPECT_EQ(hashes.of(1), expected);
    EXPECT_EQ(hashes.of(2), (std::vector{of_b, of_a}));
    EXPECT_TRUE(hashes.of(3).empty());
}

TEST_F(HashedStore, HasHashesOfWholePagesOfPagesFilesOnly) {
    append("pages-1.img", a + "half a page");
    append("core-1.img", a);
    append("outside", a);
    std::filesystem::create_symlink("outside", store + "/pages-2.img");
    std::filesystem::create_directory(store + "/pages-3.img");
    PageHashes hashes(store);
    hashes.end();
    EXPECT_EQ(hashes.of(1), std::vector{of_a});
    EXPECT_TRUE(hashes.of(2).empty());
    EXPECT_TRUE(hashes.of(3).empty());
}

TEST(PageHashes, OfAStoreThatIsNotThereAreNone) {
    PageHashes hashes("/nowhere");
    hashes.end();
    EXPECT_TRUE(hashes.of(1).empty());
}

} // namespace
} // namespace hrunc::migrate
