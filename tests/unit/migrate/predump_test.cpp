#include "migrate/predump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "recode/image_directory.h"
#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/memory.h"

namespace hrunc::migrate {
namespace {

constexpr std::size_t kPages = 600, kPageSize = 4096;

// The first process of a pid namespace, with memory that changes on demand.
class Container {
  public:
    Container() {
        std::array<int, 2> ask{}, told{};
        if (pipe(ask.data()) != 0 || pipe(told.data()) != 0) return;
        // Only a child is in the new namespace; this process's own children stay where they were.
        pid_t outer = fork();
        if (outer == 0) {
            if (unshare(CLONE_NEWPID) != 0) _exit(1);
            pid_t inner = fork();
            if (inner == 0) run(ask[0], told[1]);
            (void)!write(told[1], &inner, sizeof inner);
            waitpid(inner, nullptr, 0);
            _exit(0);
        }
        outer_ = outer;
        ask_ = Fd(ask[1]);
        told_ = Fd(told[0]);
        close(ask[0]);
        close(told[1]);
        there_ = read(told_.get(), &pid_, sizeof pid_) == sizeof pid_;
        page(0, 'x'); // gives the address
    }
    ~Container() {
        if (pid_ > 0) kill(pid_, SIGKILL);
        if (outer_ > 0) waitpid(outer_, nullptr, 0);
    }
    Container(const Container &) = delete;
    Container &operator=(const Container &) = delete;

    bool is_there() const { return there_; }
    pid_t pid() const { return pid_; }
    // Fills a page with a letter.
    void page(std::size_t number, char letter) {
        Order order{number, letter};
        (void)!write(ask_.get(), &order, sizeof order);
        there_ = there_ && read(told_.get(), &address_, sizeof address_) == sizeof address_;
    }
    std::uint64_t address(std::size_t page) const { return address_ + page * kPageSize; }

  private:
    struct Order {
        std::size_t page;
        char letter;
    };
    [[noreturn]] static void run(int ask, int told) {
        auto *memory = static_cast<char *>(
            mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        madvise(memory, kPages * kPageSize, MADV_NOHUGEPAGE); // a page that is written makes no other one present
        for (std::size_t page = 0; page < kPages / 2; ++page) memory[page * kPageSize] = 'a'; // the others: none yet
        Order order{};
        while (read(ask, &order, sizeof order) == sizeof order) {
            for (std::size_t at = 0; at < kPageSize; ++at) memory[order.page * kPageSize + at] = order.letter;
            auto address = reinterpret_cast<std::uint64_t>(memory);
            (void)!write(told, &address, sizeof address);
        }
        _exit(0);
    }

    pid_t outer_ = 0, pid_ = 0;
    Fd ask_, told_;
    std::uint64_t address_ = 0;
    bool there_ = false;
};

class PreDumped : public testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0 || !container.is_there()) GTEST_SKIP() << "needs root";
        std::string name = testing::TempDir() + "predump.XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        store = name;
    }
    void TearDown() override {
        if (!store.empty()) std::filesystem::remove_all(store);
    }

    std::uint64_t added(PreDump &predump, const std::string &where) const {
        Result<std::uint64_t> bytes = predump.add(container.pid(), where);
        EXPECT_TRUE(bytes.ok()) << bytes.error().text();
        return bytes ? *bytes : 0;
    }
    // The letter at the page's end, as the images have it; '?' where they do not have the page.
    char letter(const std::string &directory, std::size_t page) const {
        Result<Fd> opened = open_file(directory, O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(opened.ok());
        Result<recode::DumpedMemory> memory = recode::DumpedMemory::of_process(*opened, 1);
        EXPECT_TRUE(memory.ok()) << memory.error().text();
        Result<char> read = memory->read<char>(container.address(page) + kPageSize - 1);
        return read ? *read : '?';
    }
    std::uint64_t saved(const std::string &directory) const {
        return std::filesystem::file_size(directory + "/pages-1.img");
    }

    Container container;
    std::string store;
};

TEST_F(PreDumped, HasTheMemoryOfARunningProcess) {
    PreDump predump;
    EXPECT_EQ(predump.last(), "");
    container.page(3, 'c');
    EXPECT_GE(added(predump, store), kPages / 2 * kPageSize);
    EXPECT_EQ(predump.last(), "predump-1");
    EXPECT_EQ(letter(store + "/predump-1", 3), 'c');
    EXPECT_EQ(letter(store + "/predump-1", kPages - 1), '?');
}

TEST_F(PreDumped, AddsWhatHasChangedSince) {
    PreDump predump;
    std::uint64_t first = added(predump, store);
    container.page(7, 'd');
    container.page(kPages - 1, 'e');
    std::uint64_t second = added(predump, store);
    EXPECT_GE(second, 2 * kPageSize);
    EXPECT_LT(second, first / 4);
    EXPECT_EQ(letter(store + "/predump-2", 7), 'd');
    EXPECT_EQ(letter(store + "/predump-2", 0), 'x'); // from the first
    EXPECT_EQ(letter(store + "/predump-2", kPages - 1), 'e');
}

class ACheckpointAfterPreDump : public PreDumped, public testing::WithParamInterface<std::size_t> {};

// Of so many of the checkpoint's pages the hashes are there already.
INSTANTIATE_TEST_SUITE_P(OfPagesHashed, ACheckpointAfterPreDump, testing::Values(0, 1, 8, kPages / 4, 2 * kPages));

TEST_P(ACheckpointAfterPreDump, HasWhatHasChanged) {
    PreDump predump;
    added(predump, store);
    container.page(7, 'd');
    added(predump, store);
    container.page(8, 'f');
    container.page(kPages - 1, 'e');
    // What another one reads is all memory, as a dump has it.
    PreDump another;
    std::string dump = store + "/dump";
    std::filesystem::create_directory(dump);
    added(another, dump);
    std::ofstream(dump + "/predump-1/core-1.img") << "as it is";
    std::ofstream(dump + "/predump-1/incomplete");

    std::string out = store + "/changed", hashed = store + "/hashed";
    std::filesystem::create_directory(hashed);
    std::filesystem::copy(dump + "/predump-1/pages-1.img", hashed);
    if (GetParam() * kPageSize < saved(hashed))
        std::filesystem::resize_file(hashed + "/pages-1.img", GetParam() * kPageSize);
    PageHashes hashes(hashed);
    hashes.end();
    Result<void> subtracted = predump.subtract(dump + "/predump-1", out, hashes);
    ASSERT_TRUE(subtracted.ok()) << subtracted.error().text();
    EXPECT_LT(saved(out), saved(dump + "/predump-1") / 4);
    EXPECT_TRUE(std::filesystem::equivalent(out + "/core-1.img", dump + "/predump-1/core-1.img"));
    EXPECT_FALSE(std::filesystem::exists(out + "/incomplete"));

    for (const char *round : {"predump-1", "predump-2"})
        std::filesystem::rename(store + "/" + round, out + "/" + round);
    for (std::size_t page : {std::size_t{0}, std::size_t{7}, std::size_t{8}, kPages - 1})
        EXPECT_EQ(letter(out, page), letter(dump + "/predump-1", page)) << page;
    EXPECT_EQ(letter(out, 8), 'f');
    EXPECT_EQ(letter(out, kPages - 2), '?');
}

TEST_F(PreDumped, LeavesOutOfHugeAreasWhatIsZerosAmongZeros) {
    PreDump predump;
    added(predump, store);
    for (std::size_t page = 400; page < 410; ++page) container.page(page, '\0');
    container.page(500, '\0');
    container.page(501, 'b');
    PreDump another;
    std::string dump = store + "/dump";
    std::filesystem::create_directory(dump);
    added(another, dump);
    auto left = [&](const std::string &out) {
        PageHashes hashes(dump + "/predump-1");
        hashes.end();
        Result<void> subtracted = predump.subtract(dump + "/predump-1", out, hashes);
        EXPECT_TRUE(subtracted.ok()) << subtracted.error().text();
        std::filesystem::rename(store + "/predump-1", out + "/predump-1");
        std::string letters;
        for (std::size_t page : {1, 399, 400, 401, 408, 409, 410, 500, 501})
            letters += letter(out, page) == '\0' ? '0' : letter(out, page);
        std::filesystem::rename(out + "/predump-1", store + "/predump-1");
        return letters;
    };
    EXPECT_EQ(left(store + "/all"), "0?0000?0b"); // of page 1, the end is not written

    auto image = recode::Image::make("mm-1.img");
    ASSERT_TRUE(image.ok());
    std::string text = fmt::format(
        "start_code: 0 end_code: 0 start_data: 0 end_data: 0 start_stack: 0 start_brk: 0 brk: 0 "
        "arg_start: 0 arg_end: 0 env_start: 0 env_end: 0 executable: 1 vmas: {{ start: {} end: {} "
        "offset: 0 object: 0 protection: 3 flags: 0x22 status: {} fd: -1 }}",
        container.address(0), container.address(kPages), recode::kVmaRegular | recode::kVmaAnonymousPrivate);
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &image->add<recode::images::AddressSpace>()));
    Result<Fd> images = open_file(dump + "/predump-1", O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(image->write(*images).ok());
    EXPECT_EQ(left(store + "/less"), "0??????0b");
}

TEST_F(PreDumped, LosesItsPagesWhereTheyAreNotNeeded) {
    PreDump predump;
    added(predump, store);
    ASSERT_TRUE(predump.drop_pages(store).ok());
    EXPECT_FALSE(std::filesystem::exists(store + "/predump-1/pages-1.img"));
    container.page(7, 'd');
    EXPECT_LT(added(predump, store), kPages / 8 * kPageSize);
}

TEST_F(PreDumped, IsNothingOfTheHostsOwnProcesses) {
    PreDump predump;
    Result<std::uint64_t> bytes = predump.add(getpid(), store);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(*bytes, 0U);
    EXPECT_TRUE(std::filesystem::is_empty(store));
}

TEST(PreDump, WithoutAnythingAheadTheCheckpointIsWhole) {
    std::string store = testing::TempDir() + "whole.XXXXXX";
    ASSERT_NE(mkdtemp(store.data()), nullptr);
    std::ofstream(store + "/core-1.img") << "as it is";
    ASSERT_TRUE(PreDump().subtract(store, store + "/changed", PageHashes()).ok());
    EXPECT_TRUE(std::filesystem::equivalent(store + "/changed/core-1.img", store + "/core-1.img"));
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(store + "/changed/parent")));
    std::filesystem::remove_all(store);
}

} // namespace
} // namespace hrunc::migrate
