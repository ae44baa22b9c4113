#include "shim/notify.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/park/container.h"

namespace hrunc::shim::testing {
namespace {

using namespace std::chrono_literals;

class NotifyTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "needs root";
    }
    static Result<ParkedTask> notify(pid_t pid) { return notify_process(pid, arch::other(arch::host()), 30s); }
};

TEST_F(NotifyTest, OneProcessIsLeftStoppedAndContinues) {
    Container container(Hierarchy::kNone, "plain:plain");
    pid_t pid = container.pid_of(1);
    Result<ParkedTask> task = notify(pid);
    ASSERT_TRUE(task.ok()) << task.error().text();
    EXPECT_EQ(task->pid, pid);
    EXPECT_EQ(task->abi, recode::Abi::kPopcorn);
    EXPECT_EQ((*read_process(pid))->state, 'T');
    EXPECT_EQ((*read_process(pid))->tracer, 0);
    EXPECT_EQ(container.slot(0).raised, 0);
    EXPECT_TRUE(container.goes_on(0));
    ASSERT_EQ(kill(pid, SIGCONT), 0);
    EXPECT_TRUE(container.goes_on(1));
    EXPECT_EQ(container.slot(1).stray, 0);
}

TEST_F(NotifyTest, UndoContinuesIt) {
    Container container(Hierarchy::kNone, "plain");
    ASSERT_TRUE(notify(container.init()).ok());
    Result<void> undone = notify_undo(container.init());
    ASSERT_TRUE(undone.ok()) << undone.error().text();
    EXPECT_TRUE(container.goes_on(0));
    EXPECT_EQ(container.slot(0).went_on, 1);
}

TEST_F(NotifyTest, UndoLeavesAProcessThatSomebodyElseStopped) {
    Container container(Hierarchy::kNone, "plain:plain");
    pid_t pid = container.pid_of(1);
    kill(pid, SIGSTOP);
    ASSERT_TRUE(wait_for([&] { return (*read_process(pid))->state == 'T'; }));
    ASSERT_TRUE(notify_undo(pid).ok());
    EXPECT_EQ((*read_process(pid))->state, 'T');
}

TEST_F(NotifyTest, ChildrenAreLeftAlone) {
    Container container(Hierarchy::kNone, "plain:forker");
    for (int i = 0; i < 50 && !HasFailure(); ++i) {
        pid_t pid = container.pid_of(1);
        Result<ParkedTask> task = notify(pid);
        ASSERT_TRUE(task.ok()) << task.error().text();
        EXPECT_TRUE(container.nothing_pending());
        ASSERT_TRUE(notify_undo(pid).ok());
        EXPECT_TRUE(container.goes_on(1));
    }
}

TEST_F(NotifyTest, WhatCannotBeNotifiedIsNamed) {
    Container container(Hierarchy::kNone, "stubborn:sleep");
    pid_t init = container.init(), other = container.pid_of(1);
    ASSERT_TRUE(wait_for([&] { return (*read_process(other))->comm == "sleep"; }));
    EXPECT_EQ(notify_process(init, arch::Isa::kAarch64, 100ms).error().text(),
              "notify process " + std::to_string(init) +
                  ": 1 of 1 processes did not reach a migration point within 100 ms: process 1 (" +
                  container.program() + ")");
    EXPECT_TRUE(notify(other).error().text().ends_with("sleep) has no migratable binary"));
    EXPECT_TRUE(notify_undo(other).error().text().ends_with("sleep) has no migratable binary"));
    kill(init, SIGKILL);
    ASSERT_TRUE(wait_for([&] { return !*read_process(other); }));
    EXPECT_EQ(notify(other).error().text(),
              "notify process " + std::to_string(other) + ": process " + std::to_string(other) + " is gone");
}

} // namespace
} // namespace hrunc::shim::testing
