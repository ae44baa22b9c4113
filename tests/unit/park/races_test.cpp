// What happens to a container's processes while they are asked, over and over.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/unit/park/container.h"

namespace hrunc::shim::testing {
namespace {

using namespace std::chrono_literals;
constexpr int kRepetitions = 100;

class ParkRaces : public ::testing::TestWithParam<Hierarchy> {
  protected:
    void SetUp() override {
        if (cgroup_root(GetParam()).empty()) GTEST_SKIP() << "needs root and " << name(GetParam());
    }

    // Parks and releases; in between, `parked` may look around.
    static void repeat(const Container &container, const std::function<void(const Park &)> &parked) {
        for (int i = 0; i < kRepetitions && !HasFailure(); ++i) {
            Result<Park> park = Park::park(container.request());
            ASSERT_TRUE(park.ok()) << "repetition " << i << ": " << park.error().text();
            EXPECT_TRUE(container.nothing_pending()) << i;
            EXPECT_TRUE(container.frozen()) << i;
            parked(*park);
            ASSERT_TRUE(park->release().ok()) << i;
        }
    }
    static void no_stray(const Container &container) {
        for (int slot = 0; slot < SLOTS; ++slot) EXPECT_EQ(container.slot(slot).stray, 0) << "slot " << slot;
    }
    static void nothing(const Park &) {}
};

INSTANTIATE_TEST_SUITE_P(Freezers, ParkRaces, ::testing::Values(Hierarchy::kVersion1, Hierarchy::kVersion2),
                         [](const auto &row) { return name(row.param); });

TEST_P(ParkRaces, ChildrenThatAreForkedMeanwhileAreParkedToo) {
    Container container(GetParam(), "plain:forker:forker");
    repeat(container, [&](const Park &park) {
        for (const ParkedTask &task : park.tasks()) EXPECT_EQ(task.abi, recode::Abi::kPopcorn);
    });
    EXPECT_TRUE(container.all_go_on());
    no_stray(container);
}

TEST_P(ParkRaces, AnExecMeanwhileIsAskedAgain) {
    Container container(GetParam(), "plain:execer:execer");
    repeat(container, nothing);
    std::int64_t execs = container.slot(1).execs;
    EXPECT_TRUE(wait_for([&] { return container.slot(1).execs > execs; }));
    no_stray(container);
}

TEST_P(ParkRaces, AVforkMeanwhileIsWaitedFor) {
    Container container(GetParam(), "plain:vforker:vforker");
    repeat(container, nothing);
    EXPECT_TRUE(container.all_go_on());
    no_stray(container);
}

TEST_P(ParkRaces, AnExitMeanwhileIsNoError) {
    Container container(GetParam(), "plain:plain:exiter");
    repeat(container, nothing);
    EXPECT_TRUE(container.goes_on(0));
    EXPECT_TRUE(container.goes_on(1));
    no_stray(container);
}

TEST_P(ParkRaces, ProcessesThatAreKilledMeanwhileAreNoError) {
    for (int i = 0; i < 20 && !HasFailure(); ++i) {
        Container container(GetParam(), "plain:stubborn:stubborn");
        ASSERT_TRUE(container.all_go_on());
        pid_t one = container.pid_of(1), other = container.pid_of(2);
        std::thread killer([&] {
            kill(one, SIGKILL);
            std::this_thread::sleep_for(3ms);
            kill(other, SIGKILL);
        });
        Result<Park> park = Park::park(container.request());
        killer.join();
        ASSERT_TRUE(park.ok()) << park.error().text();
        EXPECT_TRUE(park->release().ok());
        EXPECT_TRUE(container.goes_on(0));
    }
}

TEST_P(ParkRaces, TheProgramsOwnAlarmsAreNotTakenForAnswers) {
    Container container(GetParam(), "timer:timer");
    repeat(container, [&](const Park &) {
        for (int slot : {0, 1}) EXPECT_EQ(container.slot(slot).raised, container.slot(slot).went_on + 1);
    });
    std::int64_t alarms = container.slot(1).alarms;
    EXPECT_TRUE(wait_for([&] { return container.slot(1).alarms > alarms; }));
    no_stray(container);
}

// Each signal is sent when the one before it has been handled, so that none may be merged with another.
TEST_P(ParkRaces, SignalsAreNeitherLostNorDoubled) {
    for (int signal : {SIGUSR1, SIGALRM}) {
        Container container(GetParam(), "plain:plain");
        ASSERT_TRUE(container.goes_on(1));
        pid_t pid = container.pid_of(1);
        const volatile std::int64_t &handled = signal == SIGUSR1 ? container.slot(1).usr1 : container.slot(1).alarms;
        std::atomic<bool> done = false;
        std::int64_t sent = 0;
        std::thread sender([&] {
            while (!done) {
                if (handled == sent) {
                    ++sent;
                    kill(pid, signal);
                }
                std::this_thread::sleep_for(100us);
            }
        });
        repeat(container, nothing);
        done = true;
        sender.join();
        EXPECT_TRUE(wait_for([&] { return handled >= sent; }));
        EXPECT_TRUE(container.goes_on(1));
        EXPECT_EQ(handled, sent) << signal;
        EXPECT_GE(sent, kRepetitions / 2);
        no_stray(container);
    }
}

TEST_P(ParkRaces, QueuedSignalsKeepTheirNumberAndValues) {
    Container container(GetParam(), "plain:plain");
    ASSERT_TRUE(container.goes_on(1));
    pid_t pid = container.pid_of(1);
    std::atomic<bool> done = false;
    std::int64_t sum = 0;
    std::thread sender([&] {
        for (int value = 1; !done; ++value) {
            if (sigqueue(pid, SIGRTMIN, sigval{.sival_int = value}) == 0) sum += value;
            std::this_thread::sleep_for(300us);
        }
    });
    repeat(container, nothing);
    done = true;
    sender.join();
    EXPECT_TRUE(wait_for([&] { return container.slot(1).queued >= sum; }));
    EXPECT_TRUE(container.goes_on(1));
    EXPECT_EQ(container.slot(1).queued, sum);
    no_stray(container);
}

TEST_P(ParkRaces, StopAndContinueMeanwhileHoldItUpNoLonger) {
    Container container(GetParam(), "plain:plain");
    pid_t pid = container.pid_of(1);
    std::atomic<bool> done = false;
    std::thread sender([&] {
        while (!done) {
            kill(pid, SIGSTOP);
            std::this_thread::sleep_for(500us);
            kill(pid, SIGCONT);
            std::this_thread::sleep_for(500us);
        }
    });
    repeat(container, nothing);
    done = true;
    sender.join();
    kill(pid, SIGCONT);
    EXPECT_TRUE(container.all_go_on());
    no_stray(container);
}

} // namespace
} // namespace hrunc::shim::testing
