// The parts of recode that are functions of numbers.
#include <gtest/gtest.h>
#include <linux/seccomp.h>

#include "recode/transform/address_space.h"
#include "recode/transform/auxv.h"
#include "recode/transform/container.h"
#include "recode/transform/core.h"
#include "recode/transform/float_control.h"
#include "recode/transform/open_flags.h"
#include "tests/unit/recode/checkpoint.h"

namespace hrunc::recode {
namespace {

using namespace testing_support;
using arch::Isa;

TEST(OpenFlags, ComeBack) {
    for (std::uint32_t bit = 0; bit < 25; ++bit) {
        std::uint32_t there = recode_open_flags(1U << bit, Isa::kX8664, Isa::kAarch64);
        EXPECT_EQ(recode_open_flags(there, Isa::kAarch64, Isa::kX8664), 1U << bit);
    }
    EXPECT_EQ(recode_open_flags(0740000, Isa::kX8664, Isa::kAarch64), 0740000U) << "all four stand for all four";
}

TEST(FloatControl, RoundingModesKeepTheirMeaning) {
    // MXCSR: nearest, down, up, zero. FPCR: nearest, up, down, zero.
    constexpr std::uint32_t kFpcr[] = {0, 2, 1, 3};
    for (std::uint32_t mode = 0; mode < 4; ++mode) {
        X86FloatControl x86{0x37f | mode << 10, 0, 0x1f80 | mode << 13};
        EXPECT_EQ(to_aarch64(x86).fpcr, kFpcr[mode] << 22);
        EXPECT_EQ(to_x86(to_aarch64(x86)), x86);
    }
}

TEST(FloatControl, FlagsTrapsAndFlushingComeBack) {
    for (std::uint32_t bits = 0; bits < 64; ++bits) {
        X86FloatControl flags{0x37f, 0, 0x1f80 | bits};
        EXPECT_EQ(to_x86(to_aarch64(flags)), flags);
        X86FloatControl traps{0x340 | bits, 0, bits << 7};
        EXPECT_EQ(to_x86(to_aarch64(traps)), traps);
    }
    EXPECT_EQ(to_aarch64({0x37f, 0, 0x1f80 | 0x8040}).fpcr, 1U << 24);
    EXPECT_EQ(to_x86({1U << 24, 0}).mxcsr, 0x1f80U | 0x8040U);
    EXPECT_EQ(to_aarch64({0x37f, 1U << 2, 0x1f80}).fpsr, 1U << 1) << "a flag of the x87 unit counts";
}

TEST(Auxv, TellsOfTheTargetAndFitsEveryCriu) {
    Host host = handmade_host(Isa::kAarch64);
    std::vector<std::uint64_t> words;
    for (std::uint64_t type = 3; type < 60; ++type) words.insert(words.end(), {type, 1000 + type});
    std::vector<std::uint64_t> out = recode_auxv(words, host, {0x7000, 0, 0, 0});
    EXPECT_EQ(out.size(), 40U);
    EXPECT_EQ(out[1], 0x7000U);
    EXPECT_EQ(out[3], 0x2222U);
    EXPECT_EQ(out[out.size() - 2], 0U);
    for (std::size_t i = 0; i < out.size(); i += 2) EXPECT_NE(out[i], std::uint64_t{AT_PLATFORM});
    out = recode_auxv({AT_RANDOM, 0xfff8, AT_NULL, 0, AT_BASE, 5}, host, {0x7000, 0xf000, 0x1000, 0x3000});
    EXPECT_EQ(out, (std::vector<std::uint64_t>{AT_SYSINFO_EHDR, 0x7000, AT_HWCAP, 0x2222, AT_HWCAP2, 3, 51, 4720,
                                               AT_RANDOM, 0x3ff8, AT_NULL, 0}));
}

TEST(AddressSpace, TakesAFreePlaceWhereTheOldOneIsTooSmall) {
    Checkpoint checkpoint(Isa::kX8664);
    Host host = handmade_host(Isa::kAarch64);
    std::uint64_t vvar = checkpoint.mm.vmas(4).start();
    images::Vma &neighbour = checkpoint.add_vma(vvar + 3 * kPage, 1, PROT_READ, 0);
    images::Vma moved = neighbour;
    checkpoint.mm.mutable_vmas()->RemoveLast();
    *checkpoint.mm.mutable_vmas(5) = moved; // in the place of the vdso
    host.kernel_areas[0].size = 4 * kPage;
    Result<AddressSpaceChange> change = recode_address_space(checkpoint.mm, {1}, Isa::kX8664, host);
    ASSERT_TRUE(change.ok()) << change.error().text();
    std::uint64_t previous = 0;
    for (const images::Vma &vma : checkpoint.mm.vmas()) {
        EXPECT_GE(vma.start(), previous);
        previous = vma.end();
    }
    EXPECT_LT(change->vdso, host.address_limit);
}

TEST(AddressSpace, RefusesOverlappingMappings) {
    Checkpoint checkpoint(Isa::kX8664);
    checkpoint.mm.mutable_vmas(1)->set_start(kText);
    EXPECT_EQ(recode_address_space(checkpoint.mm, {}, Isa::kX8664, handmade_host(Isa::kAarch64)).error().text(),
              "mapping 0x410000-0x431000: overlaps the one before");
}

TEST(AddressSpace, RefusesCodeThatTheProgramCanWrite) {
    Checkpoint checkpoint(Isa::kX8664);
    checkpoint.mm.mutable_vmas(0)->set_protection(PROT_READ | PROT_WRITE | PROT_EXEC);
    EXPECT_EQ(recode_address_space(checkpoint.mm, {1}, Isa::kX8664, handmade_host(Isa::kAarch64)).error().text(),
              "memory at 0x410000: code that the program can write");
}

TEST(AddressSpace, RefusesHugePages) {
    Checkpoint checkpoint(Isa::kX8664);
    checkpoint.mm.mutable_vmas(2)->set_flags(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
    EXPECT_EQ(recode_address_space(checkpoint.mm, {1}, Isa::kX8664, handmade_host(Isa::kAarch64)).error().text(),
              "huge pages (MAP_HUGETLB) at 0x431000");
}

class SignalActions : public testing::Test {
  protected:
    images::SignalAction recoded(std::uint64_t handler, std::uint64_t flags, std::uint64_t restorer, Isa to) {
        Checkpoint checkpoint(arch::other(to));
        images::SignalAction &action = *checkpoint.core.mutable_task()->mutable_signal_actions(0);
        action.set_handler(handler);
        action.set_flags(flags);
        action.set_restorer(restorer);
        ThreadState state;
        state.regs = Checkpoint::parked_registers(to);
        state.sigreturn = kSigreturn;
        EXPECT_TRUE(recode_thread(checkpoint.core, state, to).ok());
        return checkpoint.core.task().signal_actions(0);
    }
    static constexpr std::uint64_t kRestorer = 0x04000000, kRestart = 0x10000000;
};

TEST_F(SignalActions, TheProgramsOwnReturnStays) {
    for (Isa to : arch::kIsas) {
        images::SignalAction action = recoded(0x410100, kRestorer | kRestart, kSigreturn, to);
        EXPECT_EQ(action.flags(), kRestorer | kRestart);
        EXPECT_EQ(action.restorer(), kSigreturn);
    }
}

TEST_F(SignalActions, AnotherReturnIsReplacedOrLeftToTheVdso) {
    EXPECT_EQ(recoded(0x410100, kRestorer | kRestart, 0x410200, Isa::kAarch64).flags(), kRestart);
    EXPECT_EQ(recoded(0x410100, kRestorer | kRestart, 0x410200, Isa::kAarch64).restorer(), 0U);
    EXPECT_EQ(recoded(0x410100, kRestart, 0, Isa::kX8664).flags(), kRestorer | kRestart);
    EXPECT_EQ(recoded(0x410100, kRestart, 0, Isa::kX8664).restorer(), kSigreturn);
    EXPECT_EQ(recoded(1, 0, 0, Isa::kX8664).flags(), 0U) << "an ignored signal returns nowhere";
}

TEST(Rseq, GetsTheTargetsSignatureAndNoCriticalSection) {
    Checkpoint checkpoint(Isa::kX8664);
    images::Rseq &rseq = *checkpoint.core.mutable_thread()->mutable_rseq();
    rseq.set_pointer(kBss);
    rseq.set_size(32);
    rseq.set_signature(0x53053053);
    rseq.set_critical_section(kText);
    ThreadState state;
    state.regs = checkpoint.regs;
    ASSERT_TRUE(recode_thread(checkpoint.core, state, Isa::kAarch64).ok());
    EXPECT_EQ(rseq.signature(), 0xd428bc00U);
    EXPECT_FALSE(rseq.has_critical_section());
}

images::Cgroups cgroups_of(const std::string &path, std::uint32_t prefix) {
    images::Cgroups cgroups;
    images::CgroupSet &set = *cgroups.add_sets();
    set.set_id(3);
    images::CgroupMember &member = *set.add_members();
    member.set_name("memory");
    member.set_path(path);
    if (prefix != 0) member.set_namespace_prefix(prefix);
    images::CgroupController &controller = *cgroups.add_controllers();
    controller.add_names("memory");
    images::CgroupDirectory &directory = *controller.add_directories();
    directory.set_name(path.substr(1));
    directory.add_children()->set_name("inner");
    return cgroups;
}

TEST(Cgroups, PathsBelowTheContainersMoveWithIt) {
    images::Cgroups cgroups = cgroups_of("/docker/old", 0);
    *cgroups.add_sets() = cgroups.sets(0);
    cgroups.mutable_sets(1)->set_id(4);
    cgroups.mutable_sets(1)->mutable_members(0)->set_path("/docker/old/inner");
    ASSERT_TRUE(recode_cgroups(cgroups, 3, "/a/b/new").ok());
    EXPECT_EQ(cgroups.sets(0).members(0).path(), "/a/b/new");
    EXPECT_EQ(cgroups.sets(1).members(0).path(), "/a/b/new/inner");
    EXPECT_EQ(cgroups.controllers(0).directories(0).name(), "a/b/new");
    EXPECT_EQ(cgroups.controllers(0).directories(0).children(0).name(), "inner");
}

TEST(Cgroups, ANamespaceHidesTheNewPath) {
    images::Cgroups cgroups = cgroups_of("/docker/old/inner", 11);
    ASSERT_TRUE(recode_cgroups(cgroups, 3, "/docker/longer").ok());
    EXPECT_EQ(cgroups.sets(0).members(0).path(), "/docker/longer/inner");
    EXPECT_EQ(cgroups.sets(0).members(0).namespace_prefix(), 14U);
}

TEST(Cgroups, TheIdIsReplacedInOtherPathsToo) {
    images::Cgroups cgroups = cgroups_of("/docker/old", 0);
    images::CgroupMember &member = *cgroups.mutable_sets(0)->add_members();
    member.set_name("name=systemd");
    member.set_path("/elsewhere/old/x");
    images::CgroupMember &other = *cgroups.add_sets()->add_members();
    cgroups.mutable_sets(1)->set_id(4);
    other.set_name("pids");
    other.set_path("/third/old");
    ASSERT_TRUE(recode_cgroups(cgroups, 3, "/docker/new").ok());
    EXPECT_EQ(cgroups.sets(0).members(0).path(), "/docker/new");
    EXPECT_EQ(member.path(), "/docker/new") << "a hierarchy with a path of its own";
    EXPECT_EQ(other.path(), "/third/new");
    EXPECT_EQ(recode_cgroups(cgroups, 9, "/x").error().text(), "cgroup.img: no set 9, which the first process is in");
}

TEST(Seccomp, ThreadsThatShareTheFirstOnesFilterPass) {
    images::Seccomp filters;
    filters.add_filters()->set_program("12345678");
    images::Core leader = Checkpoint(Isa::kX8664).core, thread = leader;
    leader.mutable_thread()->set_seccomp_mode(SECCOMP_MODE_FILTER);
    leader.mutable_thread()->set_seccomp_filter(0);
    EXPECT_EQ(check_seccomp(leader, {&thread}, filters, true).error().text(),
              "has threads with and without a seccomp filter");
    filters.mutable_filters(0)->set_flags(SECCOMP_FILTER_FLAG_TSYNC);
    EXPECT_TRUE(check_seccomp(leader, {&thread}, filters, true).ok());
    replace_filters(filters, {"abcdefgh", SECCOMP_FILTER_FLAG_LOG});
    EXPECT_EQ(filters.filters(0).flags(), std::uint32_t{SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC});
    leader.mutable_thread()->set_seccomp_filter(1);
    EXPECT_EQ(check_seccomp(leader, {}, filters, true).error().text(), "its seccomp filter is not in seccomp.img");
}

} // namespace
} // namespace hrunc::recode
