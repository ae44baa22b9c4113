#include "oci/image_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

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

class ImagesToCome : public ImageStore {
  protected:
    void SetUp() override {
        ImageStore::SetUp();
        ASSERT_EQ(mkdir(image_store("abc").c_str(), 0700), 0);
        Result<std::optional<Fd>> opened = open_image_store("abc");
        ASSERT_TRUE(opened.ok() && opened->has_value());
        store_ = std::move(**opened);
    }
    std::string waited(const std::function<bool()> &given_up = [] { return false; }) const {
        Result<void> result = wait_for_images(store_, "abc", given_up);
        return result ? "complete" : result.error().text();
    }
    bool is_there(const char *name) const { return access((image_store("abc") + "/" + name).c_str(), F_OK) == 0; }
    Fd store_;
};

TEST_F(ImagesToCome, AreWaitedForUntilTheyAreComplete) {
    EXPECT_EQ(waited(), "complete");
    Result<Filling> filling = Filling::begin(store_);
    ASSERT_TRUE(filling.ok());
    std::thread filler([&] {
        while (!is_there(kAwaited)) std::this_thread::yield();
        std::ofstream(image_store("abc") + "/last.img") << "image";
        ASSERT_TRUE(filling->end(store_).ok());
    });
    EXPECT_EQ(waited(), "complete");
    EXPECT_TRUE(is_there("last.img"));
    filler.join();
    EXPECT_EQ(waited(), "complete");
}

TEST_F(ImagesToCome, DoNotComeWhereNobodyFillsTheStore) {
    {
        ASSERT_TRUE(Filling::begin(store_).ok());
    }
    EXPECT_NE(waited().find("nobody fills it any more"), std::string::npos);
}

TEST_F(ImagesToCome, DoNotComeIntoAStoreThatIsRemoved) {
    Result<Filling> filling = Filling::begin(store_);
    ASSERT_TRUE(filling.ok());
    std::thread remover([&] {
        while (!is_there(kAwaited)) std::this_thread::yield();
        std::filesystem::rename(image_store("abc"), image_store("abc") + ".gone");
        std::filesystem::remove_all(image_store("abc") + ".gone");
    });
    EXPECT_NE(waited().find("was removed"), std::string::npos);
    remover.join();
}

TEST_F(ImagesToCome, AreNotWaitedForByWhoHasGivenUp) {
    Result<Filling> filling = Filling::begin(store_);
    ASSERT_TRUE(filling.ok());
    EXPECT_NE(waited([] { return true; }).find("given up"), std::string::npos);
}

TEST_F(ImagesToCome, AreNotWaitedForWhenWhoFillsTheStoreIsSilent) {
    Result<Filling> filling = Filling::begin(store_);
    ASSERT_TRUE(filling.ok());
    Result<void> waited = wait_for_images(store_, "abc", [] { return false; }, std::chrono::milliseconds(50));
    ASSERT_FALSE(waited.ok());
    EXPECT_NE(waited.error().text().find("the host that fills it is silent"), std::string::npos);
}

TEST_F(ImagesToCome, AreWaitedForWhileWhoFillsTheStoreIsAlive) {
    Result<Filling> filling = Filling::begin(store_);
    ASSERT_TRUE(filling.ok());
    int asked = 0;
    auto touch = [&] {
        std::filesystem::last_write_time(image_store("abc") + "/" + kIncomplete,
                                         std::filesystem::file_time_type(std::chrono::seconds(++asked)));
        return asked == 300;
    };
    Result<void> waited = wait_for_images(store_, "abc", touch, std::chrono::seconds(1));
    ASSERT_FALSE(waited.ok());
    EXPECT_NE(waited.error().text().find("given up"), std::string::npos);
}

TEST_F(ImagesToCome, AreFilledInByOneAlone) {
    Result<Filling> filling = Filling::begin(store_);
    ASSERT_TRUE(filling.ok());
    EXPECT_FALSE(Filling::begin(store_).ok());
}

TEST_F(ImagesToCome, SayWhatTheStdioWas) {
    EXPECT_TRUE(read_descriptors(store_)->empty());
    std::ofstream(root_ + "/descriptors.json") << R"(["/dev/null","pipe:[12]","pipe:[13]"])";
    ASSERT_TRUE(keep_descriptors(root_, image_store("abc")).ok());
    EXPECT_EQ(*read_descriptors(store_), (std::vector<std::string>{"/dev/null", "pipe:[12]", "pipe:[13]"}));
    for (const char *hostile : {"", "{}", "[1]", R"(["a","b","c","d"])", "[["}) {
        std::ofstream(image_store("abc") + "/descriptors.json") << hostile;
        EXPECT_FALSE(read_descriptors(store_).ok()) << hostile;
    }
}

} // namespace
} // namespace hrunc::oci
