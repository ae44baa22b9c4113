// A parked process of the portable ABI, with two threads, on its way to the other ISA.
#include <gtest/gtest.h>
#include <unistd.h>

#include "popcorn/abi.h"
#include "recode/recode.h"
#include "tests/unit/images/scratch.h"
#include "tests/unit/recode/checkpoint.h"

namespace hrunc::recode {
namespace {

using namespace testing_support;
using arch::Isa;

constexpr std::uint64_t kFirst = kBss + 0x200, kSecond = kBss + 0x300;
constexpr std::uint32_t kOtherThread = 8;

class PortableRecode : public testing::TestWithParam<Isa> {
  protected:
    PortableRecode() : checkpoint_(arch::other(GetParam())) {
        request_.images = scratch_.path() / "checkpoint";
        request_.output = scratch_.path() / "out";
        request_.root = scratch_.path() / "root";
        request_.target = handmade_host(GetParam());
        std::filesystem::create_directory(request_.images);
        write_programs(request_.root, GetParam(), Abi::kPortable);

        process_.magic = POPCORN_PROCESS_MAGIC;
        process_.version = POPCORN_ABI_VERSION;
        process_.size = sizeof process_;
        process_.notify = POPCORN_PARK;
        process_.state = POPCORN_PARKED;
        process_.threads = 2;
        process_.parked = 2;
        process_.first = kFirst;
        process_.resume_entry = kEntry;
        first_ = thread(kOtherThread, kSecond, kStack + 0x4000);
        second_ = thread(kPid, 0, kStack + 0x8000);
        checkpoint_.process.add_threads(kOtherThread);
        // A restorer of the program's own, at one address on both ISAs.
        images::SignalAction &action = *checkpoint_.core.mutable_task()->mutable_signal_actions(9);
        action.set_handler(kText);
        action.set_flags(0x04000000);
        action.set_restorer(kSigreturn);
    }

    static popcorn_thread thread(std::uint32_t tid, std::uint64_t next, std::uint64_t sp) {
        popcorn_thread out{};
        out.tid = tid;
        out.next = next;
        out.resume_sp = sp;
        out.pointer = kTls + 0x100 + tid;
        out.state = POPCORN_PARKED;
        return out;
    }

    Result<Report> run() {
        std::string page(kPage, '\0');
        std::memcpy(page.data(), &process_, sizeof process_);
        std::memcpy(page.data() + (kFirst - kBss), &first_, sizeof first_);
        std::memcpy(page.data() + (kSecond - kBss), &second_, sizeof second_);
        checkpoint_.pages.replace(2 * kPage, kPage, page); // after the text's and the data's
        checkpoint_.write(request_.images);
        images::Core core = checkpoint_.core;
        core.clear_task();
        core.clear_ids();
        Image image = *Image::make("core-8.img");
        image.add<images::Core>() = core;
        EXPECT_TRUE(image.write(*open_file(request_.images, O_RDONLY | O_DIRECTORY)).ok());
        return recode(request_);
    }
    std::string refusal() {
        Result<Report> report = run();
        if (report.ok()) return "no error";
        EXPECT_FALSE(std::filesystem::exists(request_.output));
        std::string act = "recode \"" + request_.images + "\": process 7 (/app/hello): ";
        EXPECT_EQ(report.error().text().substr(0, act.size()), act);
        return report.error().text().substr(act.size());
    }
    images::Core core(const std::string &name) const {
        return **Image::read(*open_file(request_.output, O_RDONLY), name)->only<images::Core>();
    }

    Scratch scratch_;
    Checkpoint checkpoint_;
    Request request_;
    popcorn_process process_{};
    popcorn_thread first_{}, second_{};
};

INSTANTIATE_TEST_SUITE_P(Towards, PortableRecode, testing::ValuesIn(arch::kIsas),
                         [](const auto &isa) { return std::string(arch::facts(isa.param).uname_machine); });

TEST_P(PortableRecode, EveryThreadEntersTheRuntimeWithItsRecord) {
    Result<Report> report = run();
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->threads, 2U);
    struct {
        const char *image;
        std::uint64_t record, sp, tls;
    } const expected[] = {{"core-7.img", kSecond, kStack + 0x8000, kTls + 0x107},
                          {"core-8.img", kFirst, kStack + 0x4000, kTls + 0x108}};
    for (const auto &row : expected) {
        images::Core made = core(row.image);
        EXPECT_EQ(made.machine(), arch::facts(GetParam()).criu_march);
        if (GetParam() == Isa::kX8664) {
            EXPECT_EQ(made.x86().registers().rip(), kEntry);
            EXPECT_EQ(made.x86().registers().rsp(), row.sp);
            EXPECT_EQ(made.x86().registers().rdi(), row.record);
            EXPECT_EQ(made.x86().registers().rsi(), 0U);
            EXPECT_EQ(made.x86().registers().fs_base(), row.tls);
        } else {
            EXPECT_EQ(made.aarch64().registers().pc(), kEntry);
            EXPECT_EQ(made.aarch64().registers().sp(), row.sp);
            EXPECT_EQ(made.aarch64().registers().x(0), row.record);
            EXPECT_EQ(made.aarch64().registers().x(1), 0U);
            EXPECT_EQ(made.aarch64().tls(), row.tls);
        }
    }
}

TEST_P(PortableRecode, SignalRestorersStay) {
    ASSERT_TRUE(run().ok());
    const images::SignalAction action = core("core-7.img").task().signal_actions(9);
    EXPECT_EQ(action.flags(), 0x04000000U);
    EXPECT_EQ(action.restorer(), kSigreturn);
}

TEST_P(PortableRecode, RefusesAProcessThatIsNotParked) {
    process_.state = POPCORN_RUNNING;
    EXPECT_EQ(refusal(), "not at a migration point: checkpoint it through hrunc");
}

TEST_P(PortableRecode, RefusesAThreadThatIsNotParked) {
    first_.state = POPCORN_RUNNING;
    EXPECT_EQ(refusal(), "thread 8 is not parked");
}

TEST_P(PortableRecode, RefusesAnUnknownVersion) {
    process_.version = POPCORN_ABI_VERSION + 1;
    EXPECT_EQ(refusal(), "its portable ABI is version 2; this hrunc knows 1");
}

TEST_P(PortableRecode, RefusesAnOverwrittenObject) {
    process_.magic = 1;
    EXPECT_EQ(refusal(), "struct popcorn_process at 0x431000 is overwritten");
}

TEST_P(PortableRecode, RefusesAThreadWithoutARecord) {
    second_.tid = 9;
    EXPECT_EQ(refusal(), "thread 7 is in no record of its program");
}

TEST_P(PortableRecode, RefusesAListThatHasNoEnd) {
    second_.next = kFirst;
    EXPECT_EQ(refusal(), "its list has more than the 2 threads that were dumped");
}

TEST_P(PortableRecode, RefusesAListThatLeadsOutOfTheDump) {
    first_.next = 0x7000;
    EXPECT_EQ(refusal(), "thread record 2: pagemap-7.img: address 0x7000: not in the dump");
}

TEST_P(PortableRecode, RefusesAnEntryThatIsNoCode) {
    process_.resume_entry = kData;
    EXPECT_EQ(refusal(), "program counter 0x430000: outside every mapping that fits");
}

TEST_P(PortableRecode, RefusesAStackThatIsNotMapped) {
    first_.resume_sp = 0x7000;
    EXPECT_EQ(refusal(), "stack pointer 0x7000: outside every mapping that fits");
}

} // namespace
} // namespace hrunc::recode
