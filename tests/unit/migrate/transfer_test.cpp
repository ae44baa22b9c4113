#include "migrate/transfer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace hrunc::migrate {
namespace {

// From a directory of this host to another one of it.
class Transfer : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "transfer.XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        top = name;
        do_in("mkdir from to");
    }
    void TearDown() override { std::filesystem::remove_all(top); }

    void do_in(const std::string &script) const {
        Result<std::string> done = output_of(Host::here().command("cd " + shell_word(top) + " && " + script), 1 << 20);
        ASSERT_TRUE(done) << script << ": " << done.error().text();
    }
    void sent(Into into, Origin origin = Origin::kStill) const {
        Result<std::uint64_t> bytes =
            send_directories({{top + "/from", top + "/to", into}}, origin, Host::here(), [](std::uint64_t) {});
        ASSERT_TRUE(bytes) << bytes.error().text();
        EXPECT_GT(*bytes, 0U);
    }
    struct stat status(const std::string &name) const {
        struct stat status{};
        EXPECT_EQ(lstat((top + "/" + name).c_str(), &status), 0) << name;
        return status;
    }
    std::string attribute(const std::string &name, const char *attribute) const {
        std::string value(100, '\0');
        ssize_t size = lgetxattr((top + "/" + name).c_str(), attribute, value.data(), value.size());
        return size < 0 ? "none" : value.substr(0, static_cast<std::size_t>(size));
    }

    HeldInterrupts held; // as in a migration: SIGPIPE is no end
    std::string top;
};

TEST_F(Transfer, files_links_modes_and_times_arrive) {
    do_in("cd from && echo text >'a b' && chmod 4751 'a b' && ln 'a b' hard && ln -s /nowhere soft && mkfifo fifo && "
          "mkdir -m 1777 "
          "dir && touch -d @1000000000 dir/old dir && truncate -s 100M sparse && chmod 711 .");
    sent(Into::kExisting);
    do_in("cmp 'from/a b' 'to/a b' && [ \"$(readlink to/soft)\" = /nowhere ] && [ -p to/fifo ]");
    EXPECT_EQ(status("to/a b").st_mode, 0104751U | S_IFREG);
    EXPECT_EQ(status("to/a b").st_ino, status("to/hard").st_ino);
    EXPECT_EQ(status("to/dir").st_mode, 01777U | S_IFDIR);
    EXPECT_EQ(status("to/dir").st_mtime, 1000000000);
    EXPECT_EQ(status("to/dir/old").st_mtime, 1000000000);
    EXPECT_EQ(status("to/sparse").st_size, 100 << 20);
    EXPECT_LT(status("to/sparse").st_blocks, 100);
    EXPECT_EQ(status("to").st_mode, 0711U | S_IFDIR);
}

TEST_F(Transfer, owners_whiteouts_and_overlay_attributes_arrive) {
    std::string from = top + "/from";
    if (geteuid() != 0 || mknod((from + "/gone").c_str(), S_IFCHR, 0) != 0)
        GTEST_SKIP() << "needs root that may make devices";
    do_in("cd from && mkdir opaque && echo x >owned && chown 1234:5678 owned");
    if (setxattr((from + "/opaque").c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0)
        GTEST_SKIP() << "needs trusted attributes";
    ASSERT_EQ(setxattr((from + "/opaque").c_str(), "trusted.overlay.origin", "o", 1, 0), 0);
    ASSERT_EQ(
        setxattr((from + "/owned").c_str(), "security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0),
        0);
    sent(Into::kExisting);
    EXPECT_EQ(status("to/gone").st_mode & S_IFMT, S_IFCHR);
    EXPECT_EQ(status("to/gone").st_rdev, 0U);
    EXPECT_EQ(status("to/owned").st_uid, 1234U);
    EXPECT_EQ(status("to/owned").st_gid, 5678U);
    EXPECT_EQ(attribute("to/opaque", "trusted.overlay.opaque"), "y");
    EXPECT_EQ(attribute("to/opaque", "trusted.overlay.origin"), "none");
    EXPECT_EQ(attribute("to/owned", "security.capability"), attribute("from/owned", "security.capability"));
}

TEST_F(Transfer, a_directory_is_filled_or_emptied_before) {
    do_in("echo x >from/x && echo y >to/y");
    sent(Into::kExisting);
    do_in("[ \"$(ls to)\" = \"$(printf 'x\\ny')\" ]");
    sent(Into::kEmptied);
    do_in("[ \"$(ls to)\" = x ]");
}

TEST_F(Transfer, what_changes_meanwhile_does_not_stop_it) {
    do_in("echo kept >from/kept");
    std::atomic<bool> done = false;
    std::thread writer([&] {
        for (int round = 0; !done; ++round) {
            std::string name = top + "/from/" + std::to_string(round % 50);
            if (std::ofstream file(name, std::ios::app); file) file << std::string(5000, 'x');
            if (round % 3 == 0) unlink(name.c_str());
        }
    });
    for (int round = 0; round < 20; ++round) sent(Into::kEmptied, Origin::kInUse);
    done = true;
    writer.join();
    sent(Into::kEmptied);
    do_in("diff -r from to");
}

TEST_F(Transfer, several_directories_go_in_one_stream_whatever_they_are_called) {
    do_in("mkdir -p 'a.b/[c]$*' to/1 to/2 && echo 1 >'a.b/[c]$*/x' && ln 'a.b/[c]$*/x' 'a.b/[c]$*/hard' &&"
          "echo 2 >from/x && mkdir -p aXb/c && echo 3 >from/y && mkdir -p 'from & to/\\1'");
    Result<std::uint64_t> bytes = send_directories({{top + "/a.b/[c]$*", top + "/to/1", Into::kExisting},
                                                    {top + "/from", top + "/to/2", Into::kExisting},
                                                    {top + "/aXb", top + "/from & to/\\1", Into::kExisting}},
                                                   Origin::kStill, Host::here(), [](std::uint64_t) {});
    ASSERT_TRUE(bytes) << bytes.error().text();
    do_in("[ \"$(cat to/1/x)\" = 1 ] && [ to/1/x -ef to/1/hard ] && [ \"$(cat to/2/x to/2/y)\" = \"$(printf '2\\n3')\" "
          "] &&"
          "[ -d 'from & to/\\1/c' ]");
}

TEST_F(Transfer, a_link_that_is_there_is_not_followed) {
    do_in("mkdir outside && ln -s ../outside to/dir && mkdir from/dir && echo x >from/dir/file");
    sent(Into::kExisting);
    do_in("[ -z \"$(ls outside)\" ] && [ -f to/dir/file ] && [ ! -L to/dir ]");
}

} // namespace
} // namespace hrunc::migrate
