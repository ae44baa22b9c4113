#include "shim/park.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/unit/park/container.h"

namespace hrunc::shim::testing {
namespace {

using namespace std::chrono_literals;

class ParkTest : public ::testing::TestWithParam<Hierarchy> {
  protected:
    void SetUp() override {
        if (cgroup_root(GetParam()).empty()) GTEST_SKIP() << "needs root and " << name(GetParam());
    }
};

INSTANTIATE_TEST_SUITE_P(Freezers, ParkTest, ::testing::Values(Hierarchy::kVersion1, Hierarchy::kVersion2),
                         [](const auto &row) { return name(row.param); });

std::vector<std::string> described(const Park &park) {
    std::vector<std::string> lines;
    for (const ParkedTask &task : park.tasks())
        lines.push_back(std::to_string(task.pid_inside) + " " + task.executable + " " +
                        (task.abi == recode::Abi::kPopcorn ? "popcorn" : "none"));
    std::sort(lines.begin(), lines.end());
    return lines;
}

// The program counter of a task, stopped the way criu stops it: seized while frozen, then thawed into the trap.
std::uint64_t program_counter_as_criu_sees_it(const Container &container, pid_t pid) {
    EXPECT_EQ(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
    EXPECT_EQ(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
    container.thaw();
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
    EXPECT_EQ(status >> 16, PTRACE_EVENT_STOP);
    user_regs_struct registers{};
    iovec vector{&registers, sizeof registers};
    EXPECT_EQ(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector), 0);
    container.freeze();
    EXPECT_EQ(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
#if defined __x86_64__
    return registers.rip;
#else
    return registers.pc;
#endif
}

TEST_P(ParkTest, OneProcessStandsAtItsMigrationPointAndRunsOn) {
    Container container(GetParam(), "plain");
    Result<Park> park = Park::park(container.request());
    ASSERT_TRUE(park.ok()) << park.error().text();
    EXPECT_EQ(described(*park), std::vector<std::string>{"1 " + container.program() + " popcorn"});
    EXPECT_EQ(park->tasks()[0].pid, container.init());
    EXPECT_FALSE(park->was_frozen());
    EXPECT_TRUE(container.frozen());
    EXPECT_EQ(container.slot(0).raised, 1);
    EXPECT_EQ(container.slot(0).went_on, 0);
    EXPECT_EQ((*read_process(container.init()))->tracer, 0);

    ASSERT_TRUE(park->release().ok());
    ASSERT_TRUE(park->release().ok());
    EXPECT_FALSE(container.frozen());
    EXPECT_TRUE(container.goes_on(0));
    EXPECT_EQ(container.slot(0).went_on, 1);
    EXPECT_EQ(container.slot(0).stray, 0);
}

TEST_P(ParkTest, NotOneInstructionRunsBetweenTheAnswerAndTheDump) {
    Container container(GetParam(), "plain:plain:timer");
    Result<Park> park = Park::park(container.request());
    ASSERT_TRUE(park.ok()) << park.error().text();
    for (int slot = 0; slot < 3; ++slot) {
        pid_t pid = container.pid_of(slot);
        EXPECT_EQ(program_counter_as_criu_sees_it(container, pid), container.slot(slot).after_raise);
        EXPECT_EQ(program_counter_as_criu_sees_it(container, pid), container.slot(slot).after_raise);
        // The first process of the list was seized alone, so the others ran on when it thawed: park them again.
        container.thaw();
        EXPECT_TRUE(container.all_go_on());
        park = Park::park(container.request());
        ASSERT_TRUE(park.ok()) << park.error().text();
    }
    EXPECT_TRUE(park->release().ok());
}

TEST_P(ParkTest, FiveProcessesAreParkedTogetherAndOthersFrozen) {
    Container container(GetParam(), "plain:plain:plain:plain:plain:sleep");
    ASSERT_TRUE(wait_for([&] { return (*read_process(container.pid_of(5)))->comm == "sleep"; }));
    Result<Park> park = Park::park(container.request());
    ASSERT_TRUE(park.ok()) << park.error().text();
    std::vector<std::string> expected;
    for (int pid = 1; pid <= 5; ++pid) expected.push_back(std::to_string(pid) + " " + container.program() + " popcorn");
    expected.push_back("6 " + std::filesystem::canonical("/bin/sleep").string() + " none");
    EXPECT_EQ(described(*park), expected);
    for (int slot = 0; slot < 5; ++slot) EXPECT_EQ(container.slot(slot).went_on, 0);
    EXPECT_TRUE(container.nothing_pending());
    auto before = container.progress();
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(container.progress(), before);
    ASSERT_TRUE(park->release().ok());
    for (int slot = 0; slot < 5; ++slot) {
        EXPECT_TRUE(container.goes_on(slot));
        EXPECT_EQ(container.slot(slot).went_on, 1);
        EXPECT_EQ(container.slot(slot).stray, 0);
    }
}

TEST_P(ParkTest, APausedContainerRunsOnlyToItsMigrationPointAndStaysPaused) {
    Container container(GetParam(), "plain:plain");
    container.freeze();
    Result<Park> park = Park::park(container.request());
    ASSERT_TRUE(park.ok()) << park.error().text();
    EXPECT_TRUE(park->was_frozen());
    EXPECT_TRUE(container.frozen());
    ASSERT_TRUE(park->release().ok());
    EXPECT_TRUE(container.frozen());
    EXPECT_EQ(container.slot(0).went_on, 0);
    container.thaw();
    EXPECT_TRUE(container.all_go_on());
    EXPECT_EQ(container.slot(1).went_on, 1);
}

TEST_P(ParkTest, WhatCannotMigrateIsRefusedByNameBeforeAnythingIsAsked) {
    Container container(GetParam(), "plain:sleep");
    ASSERT_TRUE(wait_for([&] { return (*read_process(container.pid_of(1)))->comm == "sleep"; }));
    ParkRequest request = container.request();
    request.refuse_unmigratable = true;
    EXPECT_EQ(Park::park(request).error().text(), "park the container: process 2 (" +
                                                      std::filesystem::canonical("/bin/sleep").string() +
                                                      ") has no migratable binary");
    EXPECT_FALSE(container.asked_to_freeze());
    EXPECT_TRUE(container.goes_on(0));
    EXPECT_EQ(container.slot(0).raised, 0);
}

TEST_P(ParkTest, ThreadsAreRefusedByName) {
    Container container(GetParam(), "plain:threads");
    ASSERT_TRUE(wait_for([&] { return (*read_process(container.pid_of(1)))->threads == 2; }));
    EXPECT_EQ(Park::park(container.request()).error().text(),
              "park the container: process 2 (" + container.program() + ") has 2 threads; the popcorn ABI moves one");
    EXPECT_TRUE(container.all_go_on());
}

TEST_P(ParkTest, AVariableWithAForeignValueIsRefused) {
    Container container(GetParam(), "plain:garbage");
    ASSERT_TRUE(container.goes_on(1));
    EXPECT_EQ(Park::park(container.request()).error().text(),
              "park the container: process 2 (" + container.program() +
                  "): __migrate_gb_variable holds 5, which is no value of the popcorn ABI");
    EXPECT_TRUE(container.all_go_on());
    EXPECT_EQ(container.variable(container.pid_of(1)), 5);
    EXPECT_EQ(container.variable(container.init()), -1);
}

TEST_P(ParkTest, AProcessUnderADebuggerIsRefused) {
    Container container(GetParam(), "plain");
    ASSERT_EQ(ptrace(PTRACE_SEIZE, container.init(), 0, 0), 0);
    EXPECT_EQ(Park::park(container.request()).error().text(),
              "park the container: process 1 (" + container.program() + ") is being traced by another program");
    EXPECT_TRUE(container.goes_on(0));
}

TEST_P(ParkTest, AProcessOutsideTheCgroupIsRefused) {
    Container container(GetParam(), "plain:plain");
    Fd root = *open_file(cgroup_root(GetParam()) + "/cgroup.procs", O_WRONLY);
    ASSERT_TRUE(write_all(root, std::to_string(container.pid_of(1))).ok());
    EXPECT_EQ(Park::park(container.request()).error().text(),
              "park the container: process 2 (" + container.program() + ") is outside the container's cgroup");
    EXPECT_TRUE(container.all_go_on());
}

TEST_P(ParkTest, AnExecutableThatBreaksTheAbiIsNoMigratableBinary) {
    const std::pair<const char *, const char *> kFlaws[] = {
        {"park_constant", "symbol \"__migrate_gb_variable\" is not writable data"},
        {"park_short", "symbol \"__migrate_gb_variable\" has 4 bytes, not 8"},
        {"park_incomplete", "symbol \"tls_dst\" is missing"}};
    for (auto [program, flaw] : kFlaws) {
        Container container(GetParam(), "plain", program);
        ParkRequest request = container.request();
        request.refuse_unmigratable = true;
        EXPECT_EQ(Park::park(request).error().text(),
                  "park the container: process 1 (" + container.program() + ") has no migratable binary: " + flaw);
        EXPECT_TRUE(container.goes_on(0));
    }
}

TEST_P(ParkTest, NamesThatTheContainerChoseArePrintable) {
    std::string path = ::testing::TempDir() + "a\n\"b\x1b[2J";
    std::filesystem::copy_file(PROGRAMS "/park_program", path, std::filesystem::copy_options::overwrite_existing);
    Container container(GetParam(), "plain", path);
    std::filesystem::remove(path);
    Result<Park> park = Park::park(container.request());
    ASSERT_TRUE(park.ok()) << park.error().text();
    EXPECT_EQ(park->tasks()[0].executable, ::testing::TempDir() + "a\\x0a\\x22b\\x1b[2J (deleted)");
    EXPECT_EQ(park->tasks()[0].comm, "a\\x0a\\x22b\\x1b[2J");
    EXPECT_TRUE(park->release().ok());
}

TEST_P(ParkTest, AContainerThatIsGoneIsAnErrorToParkAndNoneToRelease) {
    std::string journal;
    ParkRequest request;
    {
        Container container(GetParam(), "plain");
        request = container.request();
        Result<Park> park = Park::park(request);
        ASSERT_TRUE(park.ok()) << park.error().text();
        journal = park->journal();
    }
    EXPECT_TRUE(Park::release_by_journal(journal).ok());
    request.freezer.clear();
    EXPECT_EQ(Park::park(request).error().text(),
              "park the container: process " + std::to_string(request.init) + " is gone");
}

TEST_P(ParkTest, NothingIsDoneWhenTheJournalCannotBeKept) {
    Container container(GetParam(), "plain");
    ParkRequest request = container.request();
    request.save_journal = [](const std::string &) { return Error(ErrorCode::kSystem, "disk full"); };
    EXPECT_EQ(Park::park(request).error().text(), "park the container: disk full");
    EXPECT_FALSE(container.asked_to_freeze());
    EXPECT_EQ(container.slot(0).raised, 0);
}

TEST(ParkWithoutFreezer, ParkedProcessesAreStoppedUntilTheRelease) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Container container(Hierarchy::kNone, "plain:timer:plain");
    Result<Park> park = Park::park(container.request());
    ASSERT_TRUE(park.ok()) << park.error().text();
    for (int slot = 0; slot < 3; ++slot) {
        EXPECT_EQ((*read_process(container.pid_of(slot)))->state, 'T');
        EXPECT_EQ(container.slot(slot).went_on, 0);
    }
    ASSERT_TRUE(park->release().ok());
    EXPECT_TRUE(container.all_go_on());
    for (int slot = 0; slot < 3; ++slot) EXPECT_EQ(container.slot(slot).stray, 0);
}

// Length of its filter, in instructions.
socklen_t filter_length(const Fd &socket) {
    socklen_t length = 0;
    EXPECT_EQ(getsockopt(socket.get(), SOL_SOCKET, SO_GET_FILTER, nullptr, &length), 0);
    return length;
}

TEST_P(ParkTest, ListeningSocketsAreHeldWhileItIsParked) {
    Fd listening(socket(AF_INET, SOCK_STREAM, 0)); // the container's, too: without close-on-exec it gets a copy
    ASSERT_EQ(listen(listening.get(), 1), 0);
    Container container(GetParam(), "plain");
    ParkRequest request = container.request();
    request.hold_listeners = true;
    for (bool by_journal : {false, true}) {
        Result<Park> park = Park::park(request);
        ASSERT_TRUE(park.ok()) << park.error().text();
        EXPECT_NE(filter_length(listening), 0u);
        if (!by_journal) {
            ASSERT_TRUE(park->set_listeners_free().ok());
            EXPECT_EQ(filter_length(listening), 0u);
        }
        ASSERT_TRUE((by_journal ? Park::release_by_journal(park->journal()) : park->release()).ok());
        EXPECT_EQ(filter_length(listening), 0u);
        EXPECT_TRUE(container.goes_on(0));
    }
}

TEST_P(ParkTest, ListeningSocketsOfAContainerThatDoesNotParkAreSetFree) {
    Fd listening(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(listen(listening.get(), 1), 0);
    Container container(GetParam(), "stubborn");
    ParkRequest request = container.request();
    request.hold_listeners = true;
    request.timeout = 500ms;
    EXPECT_FALSE(Park::park(request).ok());
    EXPECT_EQ(filter_length(listening), 0u);
}

TEST(ParkJournal, IsCheckedBeforeItIsFollowed) {
    auto error = [](const std::string &text) { return Park::release_by_journal(text).error().text(); };
    EXPECT_EQ(error(R"({"version": 2})"), "release the container: journal: of an unknown version");
    EXPECT_EQ(error(R"({"version": 1})"), "release the container: journal: a key is missing or of another type");
    EXPECT_EQ(error(R"({"version":1,"init":-1,"init_start":1,"freezer":"","was_frozen":false,"target":"arm64"})"),
              "release the container: journal: no pid");
    EXPECT_EQ(error(R"({"version":1,"init":1,"init_start":1,"freezer":"","was_frozen":false,"target":"vax"})"),
              "release the container: journal: unknown target");
    EXPECT_EQ(error(std::string(70'000, ' ')), "release the container: journal: larger than 65536 bytes");
}

} // namespace
} // namespace hrunc::shim::testing
