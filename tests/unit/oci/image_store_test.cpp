#include "oci/image_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace hrunc::oci {
namespace {

class ImageStore : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "store.XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root_ = name;
        setenv("HRUNC_IMAGE_STORE", root_.c_str(), 1);
    }
    void TearDown() override {
        unsetenv("HRUNC_IMAGE_STORE");
        std::filesystem::remove_all(root_);
    }
    std::string root_;
};

TEST_F(ImageStore, IsBelowTheRootUnderTheContainersId) {
    EXPECT_EQ(image_store("abc"), root_ + "/abc");
    unsetenv("HRUNC_IMAGE_STORE");
    EXPECT_EQ(image_store("abc"), "/var/lib/hrunc/images/abc");
}

TEST_F(ImageStore, MayBeMissing) {
    Result<std::optional<Fd>> store = open_image_store("abc");
    ASSERT_TRUE(store.ok());
    EXPECT_FALSE(store->has_value());
}

TEST_F(ImageStore, IsOpenedWhereItsOwnerAloneCanEnterIt) {
    ASSERT_EQ(mkdir(image_store("abc").c_str(), 0700), 0);
    Result<std::optional<Fd>> store = open_image_store("abc");
    ASSERT_TRUE(store.ok());
    EXPECT_TRUE(store->has_value());
}

TEST_F(ImageStore, IsRefusedWhereOthersCanEnterIt) {
    ASSERT_EQ(mkdir(image_store("abc").c_str(), 0700), 0);
    ASSERT_EQ(chmod(image_store("abc").c_str(), 0750), 0);
    EXPECT_FALSE(open_image_store("abc").ok());
}

TEST_F(ImageStore, IsNoSymbolicLinkAndNoFile) {
    ASSERT_EQ(symlink("/tmp", image_store("link").c_str()), 0);
    EXPECT_FALSE(open_image_store("link").ok());
    ASSERT_EQ(mknod(image_store("file").c_str(), S_IFREG | 0600, 0), 0);
    EXPECT_FALSE(open_image_store("file").ok());
}

TEST_F(ImageStore, IsOfAnIdThatIsOnePathComponent) {
    for (const char *id : {"", ".", "..", "../abc", "a/b"}) EXPECT_FALSE(open_image_store(id).ok()) << id;
}

} // namespace
} // namespace hrunc::oci
