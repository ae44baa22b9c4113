// Processes of the portable ABI are parked without ptrace, with all of their threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/uio.h>

#include "popcorn/abi.h"
#include "recode/elf.h"
#include "recode/portable_note.h"
#include "shim/notify.h"
#include "shim/park.h"
#include "tests/unit/park/container.h"

namespace hrunc::shim::testing {
namespace {

using namespace std::chrono_literals;

class PortableParkTest : public ::testing::TestWithParam<Hierarchy> {
  protected:
    void SetUp() override {
        if (cgroup_root(GetParam()).empty()) GTEST_SKIP() << "needs root and " << name(GetParam());
    }
};

INSTANTIATE_TEST_SUITE_P(Freezers, PortableParkTest, ::testing::Values(Hierarchy::kVersion1, Hierarchy::kVersion2),
                         [](const auto &row) { return name(row.param); });

popcorn_process state_of(const Container &container) {
    auto address = *recode::portable_process(*recode::Elf::open(*open_file(container.program(), O_RDONLY)));
    popcorn_process process{};
    iovec here{&process, sizeof process};
    iovec there{reinterpret_cast<void *>(address.value()), sizeof process};
    EXPECT_EQ(process_vm_readv(container.init(), &here, 1, &there, 1, 0), static_cast<ssize_t>(sizeof process));
    return process;
}

TEST_P(PortableParkTest, AllThreadsParkAndRunOn) {
    Container container(GetParam(), "plain", "park_portable");
    for (int round = 1; round <= 20 && !HasFailure(); ++round) {
        Result<Park> park = Park::park(container.request());
        ASSERT_TRUE(park.ok()) << park.error().text();
        ASSERT_EQ(park->tasks().size(), 1U);
        EXPECT_EQ(park->tasks()[0].abi, recode::Abi::kPortable);
        EXPECT_TRUE(container.frozen());
        EXPECT_EQ(state_of(container).state, std::uint32_t{POPCORN_PARKED});
        EXPECT_EQ(container.slot(0).raised, round);

        ASSERT_TRUE(park->release().ok());
        EXPECT_TRUE(container.goes_on(0));
        EXPECT_EQ(state_of(container).notify, std::uint32_t{POPCORN_RUN});
        EXPECT_TRUE(wait_for([&] { return container.slot(0).went_on == round && state_of(container).parked == 0; }));
    }
}

TEST_P(PortableParkTest, ThreadsThatHaveLeftTheProgramEndBeforeItIsFrozen) {
    Container container(GetParam(), "leaver", "park_portable");
    for (int round = 0; round < 20 && !HasFailure(); ++round) {
        Result<Park> park = Park::park(container.request());
        ASSERT_TRUE(park.ok()) << park.error().text();
        EXPECT_EQ((*read_process(container.init()))->threads, state_of(container).parked);
        ASSERT_TRUE(park->release().ok());
        EXPECT_TRUE(container.goes_on(0));
    }
}

TEST_P(PortableParkTest, OneThatAnEngineHasPausedIsPausedAgainWhenItDoesNotPark) {
    Container container(GetParam(), "stubborn", "park_portable");
    container.freeze();
    ParkRequest request = container.request();
    request.timeout = 200ms;
    Result<Park> park = Park::park(request);
    ASSERT_FALSE(park.ok());
    EXPECT_EQ(park.error().text(),
              "park the container: 1 of 1 processes did not reach a migration point within 200 ms: "
              "process 1 (" +
                  container.program() + ")");
    EXPECT_TRUE(container.frozen());
    EXPECT_EQ(state_of(container).notify, std::uint32_t{POPCORN_RUN});
    container.thaw();
    EXPECT_TRUE(container.goes_on(0));
}

TEST_P(PortableParkTest, ItIsReleasedByTheJournalOfAProgramThatWasKilled) {
    Container container(GetParam(), "plain", "park_portable");
    std::string journal;
    {
        Result<Park> park = Park::park(container.request());
        ASSERT_TRUE(park.ok()) << park.error().text();
        journal = park->journal();
    }
    ASSERT_TRUE(Park::release_by_journal(journal).ok());
    EXPECT_FALSE(container.frozen());
    EXPECT_TRUE(container.goes_on(0));
}

TEST_P(PortableParkTest, ChildrenThatAreForkedMeanwhileParkToo) {
    Container container(GetParam(), "forker", "park_portable");
    for (int round = 0; round < 20 && !HasFailure(); ++round) {
        Result<Park> park = Park::park(container.request());
        ASSERT_TRUE(park.ok()) << park.error().text();
        for (const ParkedTask &task : park->tasks()) EXPECT_EQ(task.abi, recode::Abi::kPortable);
        ASSERT_TRUE(park->release().ok());
        EXPECT_TRUE(container.goes_on(0));
    }
}

TEST_P(PortableParkTest, AnotherVersionOfTheAbiIsRefusedByName) {
    Container container(GetParam(), "plain", "park_portable_next");
    Result<Park> park = Park::park(container.request());
    ASSERT_FALSE(park.ok());
    EXPECT_EQ(park.error().text(), "park the container: process 1 (" + container.program() +
                                       "): its portable ABI is version 2; this hrunc knows 1");
    EXPECT_TRUE(container.goes_on(0));
}

TEST(PortableNotifyTest, ByHandItParksAndIsReleased) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Container container(Hierarchy::kNone, "plain", "park_portable");
    Result<ParkedTask> task = notify_process(container.init(), arch::host(), 30s);
    ASSERT_TRUE(task.ok()) << task.error().text();
    EXPECT_EQ(task->abi, recode::Abi::kPortable);
    EXPECT_EQ(state_of(container).state, std::uint32_t{POPCORN_PARKED});
    Result<void> undone = notify_undo(container.init());
    ASSERT_TRUE(undone.ok()) << undone.error().text();
    EXPECT_TRUE(container.goes_on(0));
}

} // namespace
} // namespace hrunc::shim::testing
