#include "recode/transform/seccomp_profile.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace hrunc::recode {
namespace {

using arch::Isa;

constexpr std::uint32_t kErrno = SECCOMP_RET_ERRNO, kAllow = SECCOMP_RET_ALLOW;

// What the kernel would answer: classic BPF as far as libseccomp uses it.
std::uint32_t answer(const SeccompProgram &program, std::uint32_t audit, std::uint32_t number,
                     std::vector<std::uint64_t> arguments = {}) {
    seccomp_data data{};
    data.arch = audit;
    data.nr = static_cast<int>(number);
    std::copy(arguments.begin(), arguments.end(), data.args);
    std::vector<sock_filter> code(program.bpf.size() / sizeof(sock_filter));
    std::memcpy(code.data(), program.bpf.data(), program.bpf.size());
    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < code.size(); ++at) {
        const sock_filter &op = code[at];
        bool condition = false;
        switch (op.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            std::memcpy(&accumulator, reinterpret_cast<char *>(&data) + op.k, 4);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= op.k;
            continue;
        case BPF_RET | BPF_K:
            return op.k;
        case BPF_JMP | BPF_JA:
            at += op.k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            condition = accumulator == op.k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            condition = accumulator > op.k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            condition = accumulator >= op.k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            condition = (accumulator & op.k) != 0;
            break;
        default:
            ADD_FAILURE() << "instruction " << op.code;
            return 0;
        }
        at += condition ? op.jt : op.jf;
    }
    ADD_FAILURE() << "ran off the end";
    return 0;
}

std::uint32_t by_name(const SeccompProgram &program, Isa isa, const char *name,
                      std::vector<std::uint64_t> arguments = {}) {
    bool x86 = isa == Isa::kX8664;
    int number = seccomp_syscall_resolve_name_arch(x86 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64, name);
    EXPECT_GE(number, 0) << name;
    return answer(program, x86 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64, static_cast<std::uint32_t>(number), arguments);
}

constexpr const char *kProfile = R"({
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_S390X"],
  "syscalls": [
    {"names": ["read", "write", "open", "openat", "arch_prctl", "statx", "no_kernel_has_this"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]},
    {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_LT"}, {"index": 0, "value": 39, "op": "SCMP_CMP_GT"}]},
    {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
  ]})";

class SeccompProfile : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(For, SeccompProfile, testing::ValuesIn(arch::kIsas),
                         [](const auto &isa) { return std::string(arch::facts(isa.param).uname_machine); });

TEST_P(SeccompProfile, AllowsAndForbidsByTheIsasOwnNumbers) {
    Result<SeccompProgram> program = compile_seccomp(kProfile, GetParam());
    ASSERT_TRUE(program.ok()) << program.error().text();
    EXPECT_EQ(by_name(*program, GetParam(), "read"), kAllow);
    EXPECT_EQ(by_name(*program, GetParam(), "openat"), kAllow);
    EXPECT_EQ(by_name(*program, GetParam(), "mkdirat"), kErrno | EPERM);
    EXPECT_EQ(by_name(*program, GetParam(), "ptrace"), kErrno | ENOSYS);
    EXPECT_EQ(by_name(*program, GetParam(), "personality", {8}), kAllow);
    EXPECT_EQ(by_name(*program, GetParam(), "personality", {9}), kErrno | EPERM);
    EXPECT_EQ(by_name(*program, GetParam(), "clone", {0x11}), kAllow);
    EXPECT_EQ(by_name(*program, GetParam(), "clone", {0x10000000}), kErrno | EPERM); // CLONE_NEWUSER
}

TEST_P(SeccompProfile, TwoConditionsOnOneArgumentAreAlternativesAsInRunc) {
    SeccompProgram program = *compile_seccomp(kProfile, GetParam());
    EXPECT_EQ(by_name(program, GetParam(), "socket", {2}), kAllow);
    EXPECT_EQ(by_name(program, GetParam(), "socket", {40}), kAllow);
    EXPECT_EQ(by_name(program, GetParam(), "socket", {38}), kErrno | EPERM);
}

TEST_P(SeccompProfile, SystemCallsNewerThanTheProfileDoNotExist) {
    SeccompProgram program = *compile_seccomp(kProfile, GetParam());
    EXPECT_EQ(by_name(program, GetParam(), "openat2"), kErrno | ENOSYS);
    EXPECT_EQ(by_name(program, GetParam(), "faccessat2"), kErrno | ENOSYS);
}

TEST_P(SeccompProfile, KillsWhatCallsWithAnotherArchitecture) {
    SeccompProgram program = *compile_seccomp(kProfile, GetParam());
    std::uint32_t other = GetParam() == Isa::kX8664 ? AUDIT_ARCH_AARCH64 : AUDIT_ARCH_X86_64;
    EXPECT_EQ(answer(program, other, 0), SECCOMP_RET_KILL_THREAD);
    EXPECT_EQ(answer(program, AUDIT_ARCH_S390X, 3), SECCOMP_RET_KILL_THREAD);
}

TEST_P(SeccompProfile, KnowsTheThirtyTwoBitArchitectureOfTheIsa) {
    SeccompProgram program = *compile_seccomp(kProfile, GetParam());
    std::uint32_t compat = GetParam() == Isa::kX8664 ? AUDIT_ARCH_I386 : AUDIT_ARCH_ARM;
    EXPECT_EQ(answer(program, compat, 3), kAllow);            // read, on both
    EXPECT_EQ(answer(program, compat, 39), kErrno | EPERM);   // mkdir
    EXPECT_EQ(answer(program, compat, 437), kErrno | ENOSYS); // openat2
}

TEST(SeccompProfileX86, X32NumbersHaveALimitOfTheirOwn) {
    SeccompProgram program = *compile_seccomp(kProfile, Isa::kX8664);
    EXPECT_EQ(answer(program, AUDIT_ARCH_X86_64, 0x40000000), kAllow); // read
    EXPECT_EQ(answer(program, AUDIT_ARCH_X86_64, 0x40000000 + 600), kErrno | ENOSYS);
    SeccompProgram without = *compile_seccomp(
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["write"],"action":"SCMP_ACT_ALLOW"}]})",
        Isa::kX8664);
    EXPECT_EQ(answer(without, AUDIT_ARCH_X86_64, 0x40000000 + 437), SECCOMP_RET_KILL_THREAD);
    EXPECT_EQ(answer(without, AUDIT_ARCH_X86_64, 437), kErrno | ENOSYS);
}

TEST_P(SeccompProfile, APermissiveDefaultHasNoStub) {
    SeccompProgram program = *compile_seccomp(
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}]})",
        GetParam());
    EXPECT_EQ(by_name(program, GetParam(), "openat2"), kAllow);
    EXPECT_EQ(by_name(program, GetParam(), "mkdirat"), SECCOMP_RET_KILL_PROCESS);
}

TEST_P(SeccompProfile, AskingForNoFilterIsNone) {
    EXPECT_EQ(compile_seccomp("{}", GetParam())->bpf, "");
    EXPECT_EQ(compile_seccomp("null", GetParam())->bpf, "");
}

TEST_P(SeccompProfile, FlagsOfTheTaskAreKept) {
    EXPECT_EQ(
        compile_seccomp(
            R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_TSYNC"]})",
            GetParam())
            ->flags,
        std::uint32_t{SECCOMP_FILTER_FLAG_LOG});
}

TEST(SeccompProfileText, IsChecked) {
    auto refusal = [](const char *text) { return compile_seccomp(text, Isa::kAarch64).error().text(); };
    EXPECT_EQ(refusal("{"), "seccomp profile: not JSON");
    EXPECT_EQ(refusal("[]"), "seccomp profile: not an object");
    EXPECT_EQ(refusal(R"({"defaultAction":"SCMP_ACT_NO"})"),
              "seccomp profile: defaultAction: \"SCMP_ACT_NO\" is not an action");
    EXPECT_EQ(refusal(R"({"defaultAction":"SCMP_ACT_NOTIFY"})"),
              "seccomp profile: SCMP_ACT_NOTIFY: a listener cannot be restored");
    EXPECT_EQ(refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","listenerPath":"/run/s"})"),
              "seccomp profile: listenerPath: a listener cannot be restored");
    EXPECT_EQ(refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":65536})"),
              "seccomp profile: defaultErrnoRet: 65536 is not a number from 0 to 65535");
    EXPECT_EQ(refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","flags":["X"]})"),
              "seccomp profile: flags: \"X\" is not a flag that can be restored");
    EXPECT_EQ(refusal(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"action":"SCMP_ACT_ALLOW"}]})"),
              "seccomp profile: syscalls: names are missing");
    EXPECT_EQ(
        refusal(
            R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]})"),
        "seccomp profile: index: 6 is not a number from 0 to 5");
    EXPECT_EQ(
        refusal(
            R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"X"}]}]})"),
        "seccomp profile: op: \"X\" is not an operator");
}

// libseccomp 2.5.4 does not come to an end with these rules.
TEST(SeccompProfileText, OneThatLibseccompCannotCompileIsRefused) {
    Result<SeccompProgram> program = compile_seccomp(
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["statx"],"action":"SCMP_ACT_ALLOW","args":[{"index":2,"value":38,"op":"SCMP_CMP_LT"},{"index":0,"value":39,"op":"SCMP_CMP_GT"}]},
            {"names":["statx"],"action":"SCMP_ACT_ALLOW","args":[{"index":5,"value":38,"op":"SCMP_CMP_LT"},{"index":0,"value":39,"op":"SCMP_CMP_GT"}]}]})",
        Isa::kX8664, 1);
    if (program) GTEST_SKIP() << "this libseccomp can";
    EXPECT_EQ(program.error().code(), ErrorCode::kRefused);
    EXPECT_EQ(program.error().text(), "seccomp profile: libseccomp has not compiled it in 1 s; have fewer conditions "
                                      "for the arguments of one system call");
}

TEST(SeccompProfileText, TheKernelTakesWhatWasBuilt) {
    SeccompProgram program = *compile_seccomp(
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid"],"action":"SCMP_ACT_ERRNO","errnoRet":5}]})",
        arch::host());
    pid_t child = fork();
    if (child == 0) {
        sock_fprog filter{static_cast<unsigned short>(program.bpf.size() / 8),
                          reinterpret_cast<sock_filter *>(program.bpf.data())};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
            _exit(1);
        _exit(syscall(SYS_getppid) == -1 && errno == 5 ? 42 : 2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 42);
}

} // namespace
} // namespace hrunc::recode
