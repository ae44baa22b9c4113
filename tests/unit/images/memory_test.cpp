#include "recode/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "recode/image_file.h"
#include "tests/unit/images/scratch.h"

namespace hrunc::recode {
namespace {

using Place = PageRange::Place;

struct Run {
    std::uint64_t address;
    std::uint32_t pages;
    Place place = Place::kPages;
};

// pagemap-7.img, and pages-1.img where the byte at each address is a mixture of its page's number and `salt`.
void put_memory(const Fd &directory, const std::vector<Run> &runs, char salt, std::uint64_t page_size = 4096) {
    auto image = Image::make("pagemap-7.img");
    image->add<images::PagemapHead>().set_pages(1);
    std::string pages;
    for (const Run &run : runs) {
        set_run(image->add<images::PageRun>(), run.address, run.pages, run.place);
        for (std::uint64_t page = 0; page < run.pages && run.place == Place::kPages; ++page)
            pages.append(page_size, static_cast<char>(salt + static_cast<char>(run.address / page_size + page)));
    }
    ASSERT_TRUE(image->write(directory).ok());
    Fd file = *open_at(directory, "pages-1.img", O_WRONLY | O_CREAT | O_EXCL, 0600);
    ASSERT_TRUE(write_all(file, pages).ok());
}

std::string refusal(const std::vector<Run> &runs) {
    Scratch scratch;
    put_memory(scratch.fd(), runs, 0);
    auto memory = DumpedMemory::of_process(scratch.fd(), 7);
    return memory ? "accepted" : memory.error().text();
}

TEST(Memory, IsReadByAddressAcrossRuns) {
    Scratch scratch;
    put_memory(scratch.fd(), {{0x10000, 2}, {0x12000, 1}, {0x7ffffffff000, 1}}, 0);
    auto memory = DumpedMemory::of_process(scratch.fd(), 7);
    ASSERT_TRUE(memory.ok()) << memory.error().text();
    std::string bytes(0x3000, '\0');
    ASSERT_TRUE(memory->read(0x10000, bytes.data(), bytes.size()).ok());
    EXPECT_EQ(bytes, std::string(0x1000, 0x10) + std::string(0x1000, 0x11) + std::string(0x1000, 0x12));
    EXPECT_EQ(*memory->read<std::uint16_t>(0x10fff), 0x1110);
    EXPECT_EQ(*memory->read<std::uint8_t>(0x7fffffffffff), 0xff);
    EXPECT_TRUE(memory->holds(0x10000, 0x3000));
    EXPECT_FALSE(memory->holds(0x10000, 0x3001));
    EXPECT_EQ(memory->pagemap().count(Place::kPages), 4U);
}

TEST(Memory, WhatWasNotDumpedIsAnError) {
    Scratch scratch;
    put_memory(scratch.fd(), {{0x10000, 1}, {0x20000, 1, Place::kLazy}}, 0);
    auto memory = DumpedMemory::of_process(scratch.fd(), 7);
    ASSERT_TRUE(memory.ok()) << memory.error().text();
    EXPECT_EQ(memory->read<std::uint64_t>(0x10ffc).error().text(), "pagemap-7.img: address 0x11000: not in the dump");
    EXPECT_EQ(memory->read<char>(0x20000).error().text(), "pagemap-7.img: address 0x20000: not in the dump");
    EXPECT_EQ(memory->read<char>(0xfff).error().text(), "pagemap-7.img: address 0xfff: not in the dump");
    EXPECT_EQ(memory->read<char>(UINT64_MAX).error().text(),
              "pagemap-7.img: address 0xffffffffffffffff: not in the dump");
}

TEST(Memory, TextEndsWithinItsLimit) {
    Scratch scratch;
    put_memory(scratch.fd(), {{0x0, 1}, {0x1000, 1}, {0x41000, 1}}, 0);
    auto memory = DumpedMemory::of_process(scratch.fd(), 7);
    EXPECT_EQ(*memory->read_string(0x1ff0 - 0x1000, 100), "");
    EXPECT_EQ(memory->read_string(0x41ff0, 10).error().text(),
              "pagemap-7.img: address 0x41ff0: a text longer than the limit of 10 bytes");
    EXPECT_EQ(memory->read_string(0x41ff0, 16).error().text(), "pagemap-7.img: address 0x42000: not in the dump");
}

TEST(Memory, LargerPagesAreSeenFromThePagesFile) {
    Scratch scratch;
    put_memory(scratch.fd(), {{0x10000, 2}}, 0, 65536);
    auto memory = DumpedMemory::of_process(scratch.fd(), 7);
    ASSERT_TRUE(memory.ok()) << memory.error().text();
    EXPECT_EQ(memory->pagemap().page_size(), 65536U);
    EXPECT_EQ(*memory->read<char>(0x2ffff), 2);
}

TEST(Memory, APagemapThatDoesNotFitIsRefused) {
    EXPECT_EQ(refusal({{0x10001, 1}}), "pagemap-7.img: run at 0x10001: not page-aligned");
    EXPECT_EQ(refusal({{0x10000, 2}, {0x11000, 1}}), "pagemap-7.img: run at 0x11000: the one before ends at 0x12000");
    EXPECT_EQ(refusal({{0x20000, 1}, {0x10000, 1}}), "pagemap-7.img: run at 0x10000: the one before ends at 0x21000");
    EXPECT_EQ(refusal({{0x10000, 0}}), "pagemap-7.img: offset 14: run of 0 pages");
    EXPECT_EQ(refusal({{0xfffffffffffff000, 1}}),
              "pagemap-7.img: run at 0xfffffffffffff000: 1 pages pass the end of the address space");
}

TEST(Memory, ThePagesFileMustHoldThePages) {
    Scratch scratch;
    put_memory(scratch.fd(), {{0x10000, 3}}, 0);
    ASSERT_EQ(truncate((scratch.path() / "pages-1.img").c_str(), 8192), 0);
    EXPECT_EQ(DumpedMemory::of_process(scratch.fd(), 7).error().text(),
              "pages-1.img: 8192 bytes: not what the pagemap's 3 pages take");
}

TEST(Memory, APageCountOfAnyAgeOfCriuIsUnderstood) {
    images::PageRun run;
    run.set_address(0x1000);
    run.set_count_low(3);
    EXPECT_EQ(run_pages(run), 3U);
    EXPECT_EQ(run_place(run), Place::kPages);
    run.set_in_parent(true);
    EXPECT_EQ(run_place(run), Place::kParent);
    run.clear_in_parent();
    run.set_count_low(0);
    run.set_count(5);
    run.set_flags(2 | 4);
    EXPECT_EQ(run_pages(run), 5U);
    EXPECT_EQ(run_place(run), Place::kPages);
    run.set_flags(2);
    EXPECT_EQ(run_place(run), Place::kLazy);
    set_run(run, 0x2000, 9, Place::kParent);
    EXPECT_EQ(run.count_low(), 9U);
    EXPECT_EQ(run.count(), 9U);
    EXPECT_EQ(run_place(run), Place::kParent);
}

class IncrementalTest : public testing::Test {
  protected:
    // Makes `name` a directory whose images add to those in `parent`.
    Fd directory(const std::string &name, const std::string &parent) {
        std::filesystem::create_directory(scratch_.path() / name);
        if (!parent.empty()) std::filesystem::create_symlink("../" + parent, scratch_.path() / name / "parent");
        return *open_file(scratch_.path() / name, O_RDONLY | O_DIRECTORY);
    }
    Scratch scratch_;
};

TEST_F(IncrementalTest, PagesAreFoundInTheParentsInTurn) {
    put_memory(directory("first", ""), {{0x10000, 4}}, 0x40);
    put_memory(directory("second", "first"), {{0x10000, 1, Place::kParent}, {0x11000, 1}, {0x12000, 2, Place::kParent}},
               0x20);
    Fd third = directory("third", "second");
    put_memory(third, {{0x10000, 3, Place::kParent}, {0x13000, 1}}, 0);
    auto memory = DumpedMemory::of_process(third, 7);
    ASSERT_TRUE(memory.ok()) << memory.error().text();
    const Pagemap &pagemap = memory->pagemap();
    std::string bytes(0x4000, '\0');
    ASSERT_TRUE(memory->read(0x10000, bytes.data(), bytes.size()).ok());
    EXPECT_EQ(&memory->pagemap(), &pagemap);
    EXPECT_EQ(bytes, std::string(0x1000, 0x50) + std::string(0x1000, 0x31) + std::string(0x1000, 0x52) +
                         std::string(0x1000, 0x13));
    EXPECT_TRUE(memory->holds(0x10000, 0x4000));
}

TEST_F(IncrementalTest, AParentIsOpenedOnlyWhenARunIsInIt) {
    Fd alone = directory("alone", "missing");
    put_memory(alone, {{0x10000, 1}, {0x11000, 1, Place::kParent}}, 0);
    auto memory = DumpedMemory::of_process(alone, 7);
    ASSERT_TRUE(memory.ok()) << memory.error().text();
    EXPECT_TRUE(memory->read<char>(0x10000).ok());
    EXPECT_EQ(memory->read<char>(0x11000).error().text(),
              "pagemap-7.img: address 0x11000: \"parent\": open \"missing\": No such file or directory");
}

TEST_F(IncrementalTest, AChainThatDoesNotEndIsRefused) {
    Fd loop = directory("loop", "loop");
    put_memory(loop, {{0x10000, 1, Place::kParent}}, 0);
    auto memory = DumpedMemory::of_process(loop, 7);
    ASSERT_TRUE(memory.ok()) << memory.error().text();
    EXPECT_EQ(memory->read<char>(0x10000).error().text(),
              "pagemap-7.img: address 0x10000: more than the limit of 64 parents (kMaxParents)");
}

} // namespace
} // namespace hrunc::recode
