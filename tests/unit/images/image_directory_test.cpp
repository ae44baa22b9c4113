#include "recode/image_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "recode/image_file.h"
#include "recode/images/core.pb.h"
#include "tests/unit/images/scratch.h"

namespace hrunc::recode {
namespace {

const std::filesystem::path kDump = std::filesystem::path(HRUNC_TEST_DATA) / "images-x86-64";

TEST(ImageDirectory, TellsWhatARealDumpHolds) {
    auto images = ImageDirectory::open(kDump);
    ASSERT_TRUE(images.ok()) << images.error().text();
    EXPECT_EQ(images->isa(), arch::Isa::kX8664);
    ASSERT_EQ(images->processes().size(), 2U);
    const DumpedProcess &first = images->processes()[0], &second = images->processes()[1];
    EXPECT_EQ(first.pid, 1U);
    EXPECT_EQ(first.parent, 0U);
    EXPECT_EQ(first.comm, "sampler");
    EXPECT_EQ(first.threads.size(), 2U);
    EXPECT_TRUE(first.alive());
    EXPECT_EQ(second.parent, 1U);
    EXPECT_EQ(second.comm, "child \x1b[31mred");
    EXPECT_TRUE(images->has("fdinfo-" + std::to_string(second.ids.files()) + ".img"));
    EXPECT_FALSE(images->has("nothing.img"));
}

// The refusal of a copy of the real dump with one image changed, or taken away.
class Damaged {
  public:
    Damaged() { scratch_.copy_dump(kDump); }
    void remove(const std::string &name) { std::filesystem::remove(scratch_.path() / name); }
    template <typename M>
    void change(const std::string &name, std::size_t index, const std::function<void(M &)> &edit) {
        auto image = Image::read(scratch_.fd(), name);
        ASSERT_TRUE(image.ok()) << image.error().text();
        ASSERT_NE(image->get<M>(index), nullptr);
        edit(*image->get<M>(index));
        remove(name);
        ASSERT_TRUE(image->write(scratch_.fd()).ok());
    }
    Error refusal() {
        auto images = ImageDirectory::on(*open_at(scratch_.fd(), ".", O_RDONLY | O_DIRECTORY));
        if (images) return Error(ErrorCode::kInternal, "accepted");
        return std::move(images).error();
    }
    const Scratch &scratch() const { return scratch_; }

  private:
    Scratch scratch_;
};

TEST(ImageDirectory, MissingPartsAreNamed) {
    for (auto [name, text] :
         {std::pair("inventory.img", "no inventory.img: not a CRIU image directory, or an unfinished one"),
          std::pair("pstree.img", "open \"pstree.img\": No such file or directory"),
          std::pair("core-7.img", "process 1: no core-7.img"), std::pair("mm-6.img", "process 6: no mm-6.img"),
          std::pair("pagemap-6.img", "process 6: no pagemap-6.img"), std::pair("fs-1.img", "process 1: no fs-1.img"),
          std::pair("ids-6.img", "no ids-6.img"), std::pair("fdinfo-3.img", "process 6: no fdinfo-3.img")}) {
        Damaged dump;
        dump.remove(name);
        EXPECT_EQ(dump.refusal().text(), text);
    }
}

TEST(ImageDirectory, AnotherImageVersionOrMachineIsRefused) {
    Damaged version;
    version.change<images::Inventory>("inventory.img", 0, [](auto &inventory) { inventory.set_image_version(3); });
    EXPECT_EQ(version.refusal().text(), "inventory.img: image version 3: only 2 is known");
    EXPECT_EQ(version.refusal().code(), ErrorCode::kRefused);

    Damaged machine;
    machine.change<images::Core>("core-1.img", 0, [](auto &core) { core.set_machine(4); });
    EXPECT_EQ(machine.refusal().text(), "core-1.img: machine 4: neither x86-64 nor aarch64");
    EXPECT_EQ(machine.refusal().code(), ErrorCode::kRefused);
}

TEST(ImageDirectory, CoresOfTwoIsasDoNotBelongTogether) {
    Damaged dump;
    dump.change<images::Core>("core-6.img", 0, [](auto &core) { core.set_machine(3); });
    EXPECT_EQ(dump.refusal().text(), "core-6.img: of aarch64, but the cores before it are of x86-64");
}

TEST(ImageDirectory, AProcessTreeThatIsNoneIsRefused) {
    Damaged orphan;
    orphan.change<images::Process>("pstree.img", 1, [](auto &process) { process.set_parent(6); });
    EXPECT_EQ(orphan.refusal().text(), "pstree.img: offset 24: process 6: parent 6 is not in front of it");
    Damaged twice;
    twice.change<images::Process>("pstree.img", 1, [](auto &process) { process.set_pid(1); });
    EXPECT_EQ(twice.refusal().text(), "pstree.img: offset 24: process 1: pid 0 or there twice");
    Damaged thread;
    thread.change<images::Process>("pstree.img", 1, [](auto &process) { process.add_threads(7); });
    EXPECT_EQ(thread.refusal().text(), "pstree.img: offset 24: process 6: thread 7 is there twice");
}

TEST(ImageDirectory, AZombieNeedsOnlyItsCore) {
    Damaged dump;
    dump.change<images::Core>("core-6.img", 0, [](auto &core) { core.mutable_task()->set_state(kTaskZombie); });
    for (const char *name : {"mm-6.img", "pagemap-6.img", "fs-6.img", "ids-6.img", "fdinfo-3.img"}) dump.remove(name);
    EXPECT_EQ(dump.refusal().text(), "accepted");
}

TEST(ImageDirectory, TheFirstThreadIsTheProcessWhateverItsIdSays) {
    Damaged dump;
    dump.change<images::Process>("pstree.img", 1, [](auto &process) { process.set_threads(0, 503585488); });
    auto images = ImageDirectory::on(*open_at(dump.scratch().fd(), ".", O_RDONLY | O_DIRECTORY));
    ASSERT_TRUE(images.ok()) << images.error().text();
    EXPECT_EQ(images->processes()[1].threads, std::vector<std::uint32_t>{6});
}

TEST(ImageDirectory, AnImageWithASecondEntryIsRefused) {
    Damaged dump;
    dump.scratch().put("inventory.img",
                       contents(kDump / "inventory.img") + contents(kDump / "inventory.img").substr(4));
    EXPECT_EQ(dump.refusal().text(), "inventory.img: offset 86: a second entry");
}

class ParentTest : public testing::Test {
  protected:
    void SetUp() override {
        for (const char *name : {"pre", "dump", "dump/inside"})
            std::filesystem::create_directory(scratch_.path() / name);
        dump_ = *open_file(scratch_.path() / "dump", O_RDONLY | O_DIRECTORY);
    }
    std::string open_with(const char *target) {
        std::filesystem::remove(scratch_.path() / "dump/parent");
        if (symlink(target, (scratch_.path() / "dump/parent").c_str()) != 0) return "no link";
        auto parent = open_parent(dump_);
        if (!parent) return parent.error().text();
        return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string((*parent)->get())).filename();
    }

    Scratch scratch_;
    Fd dump_;
};

TEST_F(ParentTest, ImagesWithoutALinkHaveNone) {
    EXPECT_FALSE(*parent_link(dump_));
    EXPECT_FALSE(*open_parent(dump_));
}

TEST_F(ParentTest, IsADirectoryInsideOrASibling) {
    EXPECT_EQ(open_with("../pre"), "pre");
    EXPECT_EQ(open_with("inside"), "inside");
    EXPECT_EQ(open_with("./inside/"), "inside");
}

TEST_F(ParentTest, LeadsNowhereElse) {
    for (const char *target : {"/etc", "../../x", "../pre/../..", "inside/../..", "..", "../"})
        EXPECT_EQ(open_with(target), "\"parent\" leads to \"" + std::string(target) +
                                         "\": only the directory itself and its siblings may be parents");
    ASSERT_EQ(symlink("/etc", (scratch_.path() / "sly").c_str()), 0);
    EXPECT_EQ(open_with("../sly"), "\"parent\": open \"sly\": Too many levels of symbolic links");
}

TEST_F(ParentTest, MustBeASymbolicLink) {
    std::filesystem::create_directory(scratch_.path() / "dump/parent");
    EXPECT_EQ(parent_link(dump_).error().text(), "\"parent\": not a symbolic link");
}

} // namespace
} // namespace hrunc::recode
