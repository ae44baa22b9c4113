#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/popcorn/tracee.h"

namespace hrunc::popcorn {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kMagic = kHere == POPCORN_X86_64 ? POPCORN_MAGIC_X86_64 : POPCORN_MAGIC_AARCH64;
constexpr const char *kPrograms = HRUNC_POPCORN_PROGRAMS;

#define ASSERT_OK(expression)                                                                                          \
    do {                                                                                                               \
        auto result_ = (expression);                                                                                   \
        ASSERT_TRUE(result_.ok()) << result_.error().text() << "\n" << output();                                       \
    } while (0)

class PopcornTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "popcorn_test.XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    Result<Tracee> start(const std::string &program, const std::vector<std::string> &arguments) {
        std::vector<std::string> command{std::string(kPrograms) + "/" + program};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return Tracee::start(command, directory_ + "/output");
    }
    std::string output() const {
        std::ifstream file(directory_ + "/output");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string last_line() const {
        std::string text = output();
        std::size_t end = text.find_last_not_of('\n'), begin = text.rfind('\n', end);
        return text.substr(begin == std::string::npos ? 0 : begin + 1, end - begin);
    }

    std::string directory_;
};

Result<void> move(Tracee &tracee) {
    HRUNC_TRY(tracee.ask(kHere));
    HRUNC_TRY(tracee.run_until_parked());
    return tracee.take_registers();
}

TEST_F(PopcornTest, AThousandMovesThroughTheRegistersOfRegsDstKeepEverything) {
    auto tracee = start("state", {"1", "32", directory_ + "/file"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    for (int i = 0; i < 1000; i++) {
        ASSERT_OK(move(*tracee));
        ASSERT_OK(tracee->go_on());
        ASSERT_OK(tracee->stop());
    }
    ASSERT_OK(tracee->go_on());
    auto status = tracee->wait_for_end();
    ASSERT_TRUE(status.ok());
    EXPECT_EQ(*status, 0) << output();
    EXPECT_THAT(last_line(), HasSubstr(": moves 1000 stays 0 alarms "));
}

TEST_F(PopcornTest, ATaskThatIsJustContinuedGoesOnWhicheverIsaItWasAskedFor) {
    auto tracee = start("state", {"1", "10"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    for (int i = 0; i < 200; i++) {
        ASSERT_OK(tracee->ask(i % 2 == 0 ? kThere : kHere));
        ASSERT_OK(tracee->run_until_parked());
        ASSERT_OK(tracee->go_on());
        ASSERT_OK(tracee->stop());
    }
    ASSERT_OK(tracee->go_on());
    EXPECT_EQ(tracee->wait_for_end().value(), 0) << output();
    EXPECT_THAT(last_line(), HasSubstr(": moves 0 stays 200 alarms "));
}

TEST_F(PopcornTest, AskedForTheOtherIsaItLeavesThatIsasRegistersAndThreadPointer) {
    auto tracee = start("state", {"1"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->ask(POPCORN_AARCH64));
    ASSERT_OK(tracee->run_until_parked());
    auto regs = tracee->read<popcorn_regs>(POPCORN_SYMBOL_REGS).value();
    auto stack = tracee->symbol("popcorn_stack").value();
    auto block = tracee->symbol("tls_block").value();
    EXPECT_EQ(regs.magic, POPCORN_MAGIC_AARCH64);
    EXPECT_EQ(regs.aarch64.pc, tracee->symbol("__popcorn_resume").value().address);
    EXPECT_EQ(regs.aarch64.sp % 16, 0u);
    EXPECT_GT(regs.aarch64.sp, stack.address + stack.size / 2 + stack.size / 4); // started in the lower half
    EXPECT_LT(regs.aarch64.sp, stack.address + stack.size);
    EXPECT_EQ(tracee->read<std::uint64_t>(POPCORN_SYMBOL_TLS).value(), block.address);
}

TEST_F(PopcornTest, BothIsasThreadPointersBelongToOneBlock) {
    auto tracee = start("state", {"1"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->ask(POPCORN_X86_64));
    ASSERT_OK(tracee->run_until_parked());
    auto regs = tracee->read<popcorn_regs>(POPCORN_SYMBOL_REGS).value();
    auto block = tracee->symbol("tls_block").value();
    auto pointer = tracee->read<std::uint64_t>(POPCORN_SYMBOL_TLS).value();
    std::uint64_t at_pointer = 0;
    ASSERT_OK(tracee->read_memory(pointer, &at_pointer, sizeof at_pointer));
    EXPECT_EQ(regs.magic, POPCORN_MAGIC_X86_64);
    EXPECT_EQ(regs.x86_64.rflags, 0x202u);
    EXPECT_EQ(pointer, block.address + 48); // 16 for aarch64's head, 32 of variables
    EXPECT_EQ(at_pointer, pointer);
}

TEST_F(PopcornTest, MovesAlternateBetweenTheHalvesOfTheStackRegionAndItDoesNotGrow) {
    auto tracee = start("state", {"1"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    auto stack = tracee->symbol("popcorn_stack").value();
    for (std::uint64_t i = 0; i < 100; i++) {
        ASSERT_OK(tracee->ask(kHere));
        ASSERT_OK(tracee->run_until_parked());
        auto regs = tracee->read<popcorn_regs>(POPCORN_SYMBOL_REGS).value();
        std::uint64_t sp = kHere == POPCORN_X86_64 ? regs.x86_64.rsp : regs.aarch64.sp;
        EXPECT_EQ((sp - stack.address) / (stack.size / 2), (i + 1) % 2);
        EXPECT_LT(stack.size / 2 - (sp - stack.address) % (stack.size / 2), 2048u); // from the top of the half
        ASSERT_OK(tracee->take_registers());
    }
}

TEST_F(PopcornTest, TheMagicIsZeroOnceItRunsOn) {
    auto tracee = start("state", {"1"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    EXPECT_EQ(tracee->read<std::uint64_t>(POPCORN_SYMBOL_REGS).value(), 0u);
    for (bool moved : {false, true}) {
        ASSERT_OK(tracee->ask(kHere));
        ASSERT_OK(tracee->run_until_parked());
        EXPECT_EQ(tracee->read<std::uint64_t>(POPCORN_SYMBOL_REGS).value(), kMagic);
        if (moved) ASSERT_OK(tracee->take_registers());
        ASSERT_OK(tracee->go_on());
        while (tracee->read<std::uint64_t>(POPCORN_SYMBOL_REGS).value() != 0) usleep(1000);
        ASSERT_OK(tracee->stop());
    }
}

TEST_F(PopcornTest, ARequestWithoutATracerHasNoEffect) {
    auto tracee = start("state", {"1", "10"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->detach());
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(tracee->ask(kThere));
        while (tracee->read<std::int64_t>(POPCORN_SYMBOL_VARIABLE).value() != POPCORN_NONE) usleep(500);
    }
    EXPECT_EQ(tracee->wait_for_end().value(), 0) << output();
    EXPECT_THAT(last_line(), HasSubstr(": moves 0 stays 20 alarms "));
}

TEST_F(PopcornTest, ARequestThatIsTakenBackInTimeIsForgotten) {
    auto tracee = start("state", {"1", "3"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->ask(kThere)); // still before its first instruction
    ASSERT_OK(tracee->ask(POPCORN_NONE));
    ASSERT_OK(tracee->go_on());
    EXPECT_EQ(tracee->wait_for_end().value(), 0) << output();
    EXPECT_THAT(last_line(), HasSubstr(": moves 0 stays 0 alarms "));
}

TEST_F(PopcornTest, AnUnknownTargetIsLeftAlone) {
    auto tracee = start("state", {"1", "2"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->ask(7));
    ASSERT_OK(tracee->go_on());
    EXPECT_EQ(tracee->wait_for_end().value(), 0) << output();
    EXPECT_THAT(last_line(), HasSubstr(": moves 0 stays 0 alarms "));
}

// A register that arrives changed must be found: the check of the thousand moves is worth what this one is.
TEST_F(PopcornTest, ARegisterThatIsNotDeliveredEndsTheProgramWithItsOffset) {
    auto tracee = start("state", {"1"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->ask(kHere));
    ASSERT_OK(tracee->run_until_parked());
    ASSERT_OK(tracee->take_registers());
    ASSERT_OK(tracee->write_word(POPCORN_SYMBOL_REGS, 12345, 88)); // r9 and x8: no variable travels there
    ASSERT_OK(tracee->go_on());
    EXPECT_EQ(tracee->wait_for_end().value(), 120);
    EXPECT_THAT(output(), HasSubstr("popcorn: register at offset 88 of regs_dst:\n"));
}

TEST_F(PopcornTest, AnAlarmOfTheProgramsOwnWhileItIsParkedIsNotLost) {
    auto tracee = start("state", {"1"}); // its handler sets the next alarm: the first lost one is the last
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    for (int i = 0; i < 10; i++) {
        ASSERT_OK(tracee->ask(kHere));
        ASSERT_OK(tracee->run_until_parked());
        auto before = tracee->read<std::uint64_t>("alarms").value();
        usleep(30'000);
        if (i % 2 == 0) ASSERT_OK(tracee->take_registers());
        ASSERT_OK(tracee->go_on());
        ASSERT_OK(tracee->stop());
        while (i > 0 && tracee->read<std::uint64_t>("alarms").value() == before) {
            ASSERT_OK(tracee->go_on());
            usleep(1000);
            ASSERT_OK(tracee->stop());
        }
    }
}

TEST_F(PopcornTest, ItParksInASleepOfAnHour) {
    auto tracee = start("hello", {"3600000"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    ASSERT_OK(tracee->go_on());
    while (output().empty()) usleep(1000);
    ASSERT_OK(tracee->stop());
    ASSERT_OK(move(*tracee));
    ASSERT_OK(tracee->go_on());
    ASSERT_OK(tracee->stop());
    ASSERT_OK(move(*tracee));
    EXPECT_EQ(tracee->read<std::uint64_t>("popcorn_moves").value(), 1u);
}

TEST_F(PopcornTest, HelloCountsOnThroughMoves) {
    auto tracee = start("hello", {"20", "30"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    for (int i = 0; i < 20; i++) ASSERT_OK(move(*tracee));
    ASSERT_OK(tracee->go_on());
    EXPECT_EQ(tracee->wait_for_end().value(), 0) << output();
    EXPECT_THAT(output(), HasSubstr("hello 0 on "));
    EXPECT_THAT(last_line(), testing::MatchesRegex("hello 29 on .*: heap 0x[0-9a-f]* float 3.141[0-9]* pipe ok"));
    EXPECT_THAT(output(), Not(HasSubstr("WRONG")));
}

TEST_F(PopcornTest, ParentAndChildMoveEachOnItsOwnAndTheParentStillCollectsTheChild) {
    auto parent = start("two", {"5"});
    ASSERT_TRUE(parent.ok()) << parent.error().text();
    ASSERT_OK(parent->go_on());
    while (output().find("two 1 on") == std::string::npos) usleep(1000);
    std::string text = output();
    pid_t pid = std::stoi(text.substr(text.find("its pid is ") + 11));
    auto child = Tracee::attach(pid, std::string(kPrograms) + "/two");
    ASSERT_TRUE(child.ok()) << child.error().text();
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(parent->stop());
        ASSERT_OK(move(*parent));
        ASSERT_OK(move(*child));
        ASSERT_OK(parent->go_on());
    }
    EXPECT_EQ(child->read<std::uint64_t>("popcorn_moves").value(), 19u); // the last one is still to run on
    ASSERT_OK(child->detach());
    ASSERT_OK(parent->stop());
    ASSERT_OK(parent->detach());
    ASSERT_EQ(kill(parent->pid(), SIGUSR1), 0);
    std::string end = "the child ended with status 42\ntwo 0 on ";
    siginfo_t ended{};
    while (output().find(end) == std::string::npos && ended.si_pid == 0) {
        ASSERT_EQ(waitid(P_PID, static_cast<id_t>(parent->pid()), &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        usleep(1000);
    }
    EXPECT_THAT(output(), HasSubstr(end)); // and it has forked the next one
}

TEST_F(PopcornTest, MemoryThatIsFilledWhileItMovesIsAsItShouldBe) {
    auto tracee = start("memory", {"32", "1", "5"});
    ASSERT_TRUE(tracee.ok()) << tracee.error().text();
    for (int i = 0; i < 100; i++) ASSERT_OK(move(*tracee));
    ASSERT_OK(tracee->go_on());
    EXPECT_EQ(tracee->wait_for_end().value(), 0) << output();
    EXPECT_THAT(last_line(), testing::MatchesRegex("memory 4 on .*: 32 MB ok"));
}

// The check that the build makes, on pairs that must not pass.
class LayoutTest : public PopcornTest {
  protected:
    void SetUp() override {
        PopcornTest::SetUp();
        for (const char *isa : {"_x86-64", "_aarch64"}) copy(std::string("hello") + isa, std::string("pair") + isa);
    }
    void copy(const std::string &from, const std::string &to) {
        std::filesystem::copy_file(std::string(kPrograms) + "/" + from, directory_ + "/" + to,
                                   std::filesystem::copy_options::overwrite_existing);
    }
    // Changes one byte at an offset of the pair's aarch64 file.
    void spoil(std::streamoff offset) {
        std::fstream file(directory_ + "/pair_aarch64", std::ios::binary | std::ios::in | std::ios::out);
        file.seekg(offset);
        char byte = static_cast<char>(file.get());
        file.seekp(offset);
        file.put(static_cast<char>(byte ^ 1));
    }
    int check() {
        std::string command =
            std::string(HRUNC_CHECK_LAYOUT) + " " + directory_ + "/pair >" + directory_ + "/output 2>&1";
        int status = system(command.c_str());
        return WEXITSTATUS(status);
    }
};

TEST_F(LayoutTest, ThePairThatTheBuildMakesPasses) {
    EXPECT_EQ(check(), 0) << output();
    EXPECT_EQ(output(), "");
}

TEST_F(LayoutTest, DataThatDiffersIsNamedWithItsOffset) {
    spoil(0x20008); // the third segment is .rodata
    EXPECT_EQ(check(), 1);
    EXPECT_EQ(output(), "check-layout: " + directory_ + "/pair: .rodata: contents differ at offset 0x8\n");
}

TEST_F(LayoutTest, AnEntryPointThatDiffersIsRefused) {
    spoil(24);
    EXPECT_EQ(check(), 1);
    EXPECT_THAT(output(), HasSubstr("pair: entry point: 0x"));
}

TEST_F(LayoutTest, AProgramHeaderThatDiffersIsRefused) {
    spoil(64 + 56 * 3 + 40); // memsz of the segment with .bss
    EXPECT_EQ(check(), 1);
    EXPECT_THAT(output(), HasSubstr("pair: program header: Segment(type='LOAD', flags=6, offset="));
}

TEST_F(LayoutTest, TwoProgramsOfDifferentSourcesAreRefused) {
    copy("memory_aarch64", "pair_aarch64");
    EXPECT_EQ(check(), 1);
    EXPECT_THAT(output(), HasSubstr("pair: lines_here: in one of them only"));
}

TEST_F(LayoutTest, TwoProgramsOfOneIsaAreRefused) {
    copy("hello_x86-64", "pair_aarch64");
    EXPECT_EQ(check(), 1);
    EXPECT_THAT(output(), HasSubstr("pair: they are for x86-64 and x86-64"));
}

} // namespace
} // namespace hrunc::popcorn
