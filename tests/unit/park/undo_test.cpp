// Whatever goes wrong, the container runs on as if nobody had asked.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/park/container.h"

namespace hrunc::shim::testing {
namespace {

using namespace std::chrono_literals;

class ParkUndo : public ::testing::TestWithParam<Hierarchy> {
  protected:
    void SetUp() override {
        if (cgroup_root(GetParam()).empty()) GTEST_SKIP() << "needs root and " << name(GetParam());
    }
    static std::string error_of(const ParkRequest &request) {
        Result<Park> park = Park::park(request);
        return park.ok() ? "parked" : park.error().text();
    }
    static void no_trace(const Container &container) {
        EXPECT_TRUE(container.nothing_pending());
        EXPECT_EQ((*read_process(container.init()))->tracer, 0);
    }
};

INSTANTIATE_TEST_SUITE_P(Freezers, ParkUndo, ::testing::Values(Hierarchy::kVersion1, Hierarchy::kVersion2),
                         [](const auto &row) { return name(row.param); });

TEST_P(ParkUndo, OneThatNeverAnswersLetsAllRunOn) {
    Container container(GetParam(), "plain:stubborn:plain");
    ParkRequest request = container.request();
    request.timeout = 3s;
    EXPECT_EQ(error_of(request),
              "park the container: 1 of 3 processes did not reach a migration point within 3000 ms: process 2 (" +
                  container.program() + ")");
    no_trace(container);
    EXPECT_FALSE(container.asked_to_freeze());
    EXPECT_TRUE(container.all_go_on());
    for (int slot : {0, 2}) {
        EXPECT_EQ(container.slot(slot).went_on, 1);
        EXPECT_EQ(container.slot(slot).stray, 0);
    }
}

TEST_P(ParkUndo, APausedContainerIsPausedAgain) {
    Container container(GetParam(), "plain:stubborn");
    container.freeze();
    ParkRequest request = container.request();
    request.timeout = 3s;
    EXPECT_TRUE(error_of(request).starts_with("park the container: 1 of 2 processes did not reach"));
    EXPECT_TRUE(container.frozen());
    no_trace(container);
    auto before = container.progress();
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(container.progress(), before);
    container.thaw();
    EXPECT_TRUE(container.all_go_on());
    EXPECT_EQ(container.slot(0).went_on, 1);
}

TEST_P(ParkUndo, APausedContainerThatIsRefusedIsNotThawedForIt) {
    Container container(GetParam(), "plain:sleep");
    ASSERT_TRUE(wait_for([&] { return (*read_process(container.pid_of(1)))->comm == "sleep"; }));
    container.freeze();
    auto before = container.progress();
    ParkRequest request = container.request();
    request.refuse_unmigratable = true;
    EXPECT_TRUE(error_of(request).ends_with("has no migratable binary"));
    EXPECT_TRUE(container.frozen());
    EXPECT_EQ(container.progress(), before);
}

// It has seen the request when the time runs out: its answer is still caught.
TEST_P(ParkUndo, AnAnswerThatComesTooLateIsCaught) {
    Container container(GetParam(), "slow");
    ParkRequest request = container.request();
    request.timeout = 120ms;
    EXPECT_TRUE(error_of(request).starts_with("park the container: 1 of 1 processes did not reach"));
    no_trace(container);
    EXPECT_TRUE(container.goes_on(0));
    EXPECT_EQ(container.slot(0).raised, container.slot(0).went_on);
    EXPECT_EQ(container.slot(0).stray, 0);
}

TEST_P(ParkUndo, AProcessThatIsStoppedStaysStopped) {
    Container container(GetParam(), "plain:plain");
    pid_t pid = container.pid_of(1);
    kill(pid, SIGSTOP);
    ASSERT_TRUE(wait_for([&] { return (*read_process(pid))->state == 'T'; }));
    ParkRequest request = container.request();
    request.timeout = 3s;
    EXPECT_EQ(error_of(request),
              "park the container: 1 of 2 processes did not reach a migration point within 3000 ms: process 2 (" +
                  container.program() + ") (stopped by a signal)");
    no_trace(container);
    EXPECT_TRUE(wait_for([&] { return (*read_process(pid))->state == 'T'; }));
    EXPECT_TRUE(container.goes_on(0));
    kill(pid, SIGCONT);
    EXPECT_TRUE(container.goes_on(1));
}

TEST_P(ParkUndo, AnExecOfWhatCannotMigrateIsRefusedAndRunsOn) {
    Container container(GetParam(), "plain:vforker");
    ParkRequest request = container.request();
    request.refuse_unmigratable = true;
    request.timeout = 2s;
    for (int i = 0; i < 20 && !HasFailure(); ++i) {
        Result<Park> park = Park::park(request);
        if (park.ok())
            ASSERT_TRUE(park->release().ok());
        else
            EXPECT_NE(park.error().text().find("true) has no migratable binary"), std::string::npos)
                << park.error().text();
        no_trace(container);
        EXPECT_TRUE(container.all_go_on());
    }
    EXPECT_EQ(container.slot(0).stray, 0);
    EXPECT_EQ(container.slot(1).stray, 0);
}

TEST_P(ParkUndo, TheDeathOfTheFirstProcessIsAnError) {
    Container container(GetParam(), "stubborn");
    pid_t init = container.init();
    std::thread killer([init] {
        while ((*read_process(init))->tracer == 0) std::this_thread::sleep_for(1ms);
        kill(init, SIGKILL);
    });
    std::string error = error_of(container.request());
    killer.join();
    EXPECT_EQ(error, "park the container: the first process of the container, " + std::to_string(init) + ", is gone");
}

// The program that parks is killed at any moment; what it wrote down before it began is enough for another.
class ParkKilled : public ParkUndo {
  protected:
    // Runs park() in a process of its own, which dies `later` after its journal is kept.
    static std::string killed_park(const Container &container, std::chrono::microseconds later) {
        int pipe_ends[2];
        EXPECT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
        Fd readable(pipe_ends[0]), writable(pipe_ends[1]);
        pid_t parker = fork();
        if (parker == 0) {
            ParkRequest request = container.request();
            request.save_journal = [&](const std::string &journal) { return write_all(writable, journal + "\n"); };
            (void)Park::park(request).ok();
            pause();
        }
        writable.reset();
        std::string journal(4096, '\0');
        ssize_t got = read(readable.get(), journal.data(), journal.size());
        EXPECT_GT(got, 0);
        journal.resize(static_cast<std::size_t>(got));
        std::this_thread::sleep_for(later);
        kill(parker, SIGKILL);
        waitpid(parker, nullptr, 0);
        return journal;
    }
};

INSTANTIATE_TEST_SUITE_P(Freezers, ParkKilled, ::testing::Values(Hierarchy::kVersion1, Hierarchy::kVersion2),
                         [](const auto &row) { return name(row.param); });

TEST_P(ParkKilled, ARunningContainerRunsOn) {
    Container container(GetParam(), "plain:forker:timer:execer");
    for (int i = 0; i < 100 && !HasFailure(); ++i) {
        std::string journal = killed_park(container, std::chrono::microseconds(97 * i));
        Result<void> released = Park::release_by_journal(journal);
        ASSERT_TRUE(released.ok()) << released.error().text();
        EXPECT_TRUE(container.nothing_pending()) << i;
        EXPECT_FALSE(container.asked_to_freeze()) << i;
        EXPECT_TRUE(container.goes_on(0)) << i;
        EXPECT_TRUE(container.goes_on(2)) << i;
    }
}

TEST_P(ParkKilled, APausedContainerIsPausedAgain) {
    Container container(GetParam(), "plain:stubborn");
    for (int i = 0; i < 50 && !HasFailure(); ++i) {
        container.freeze();
        std::string journal = killed_park(container, std::chrono::microseconds(130 * i));
        Result<void> released = Park::release_by_journal(journal);
        ASSERT_TRUE(released.ok()) << released.error().text();
        EXPECT_TRUE(container.frozen()) << i;
        EXPECT_TRUE(container.nothing_pending()) << i;
        container.thaw();
        EXPECT_TRUE(container.all_go_on()) << i;
    }
}

} // namespace
} // namespace hrunc::shim::testing
