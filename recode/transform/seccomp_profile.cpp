#include "recode/transform/seccomp_profile.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/fd.h"

namespace hrunc::recode {

namespace {

using Json = nlohmann::json;

struct Architecture {
    std::string_view oci;
    arch::Isa isa; // whose kernel runs it
    std::uint32_t scmp, audit;
};
constexpr Architecture kArchitectures[] = {
    {"SCMP_ARCH_X86_64", arch::Isa::kX8664, SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64},
    {"SCMP_ARCH_X86", arch::Isa::kX8664, SCMP_ARCH_X86, AUDIT_ARCH_I386},
    {"SCMP_ARCH_X32", arch::Isa::kX8664, SCMP_ARCH_X32, AUDIT_ARCH_X86_64},
    {"SCMP_ARCH_AARCH64", arch::Isa::kAarch64, SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", arch::Isa::kAarch64, SCMP_ARCH_ARM, AUDIT_ARCH_ARM},
};

struct Operator {
    std::string_view oci;
    scmp_compare value;
};
constexpr Operator kOperators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

// Filter flags that hold for a task, as opposed to the act of loading the filter. CRIU keeps LOG only, but gives the
// kernel whatever the image says.
constexpr struct {
    std::string_view oci;
    std::uint32_t value;
} kFlags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", 0},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
};

constexpr std::uint32_t kX32Bit = 0x40000000; // <asm/unistd.h>: __X32_SYSCALL_BIT

struct Rule {
    std::string name;
    std::uint32_t action = 0;
    std::vector<scmp_arg_cmp> arguments;
};

struct Profile {
    std::uint32_t default_action = 0;
    bool default_allows = false;
    bool default_enosys = false;
    std::vector<const Architecture *> architectures; // of the ISA, its own first
    std::uint32_t flags = 0;
    std::vector<Rule> rules;
};

Error wrong(std::string_view what) {
    return Error(ErrorCode::kInvalid, "seccomp profile: " + std::string(what));
}

Error wrong_value(std::string_view key, const Json &value, std::string_view allowed) {
    return wrong(std::string(key) + ": " + value.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 100) +
                 " is not " + std::string(allowed));
}

Result<std::optional<std::uint64_t>> number(const Json &object, const char *key, std::uint64_t limit) {
    auto found = object.find(key);
    if (found == object.end() || found->is_null()) return std::optional<std::uint64_t>{};
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > limit)
        return wrong_value(key, *found, "a number from 0 to " + std::to_string(limit));
    return std::optional(found->get<std::uint64_t>());
}

// runc's names and numbers: KILL is the thread, an errno that is not given is EPERM.
Result<std::uint32_t> parse_action(const Json &object, const char *key, const char *errno_key) {
    auto found = object.find(key);
    if (found == object.end() || !found->is_string()) return wrong(std::string(key) + " is missing");
    HRUNC_ASSIGN(std::optional<std::uint64_t> number_given, number(object, errno_key, UINT16_MAX));
    auto value = static_cast<std::uint16_t>(number_given.value_or(EPERM));
    const auto &name = found->get_ref<const std::string &>();
    if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return std::uint32_t{SCMP_ACT_KILL_THREAD};
    if (name == "SCMP_ACT_KILL_PROCESS") return std::uint32_t{SCMP_ACT_KILL_PROCESS};
    if (name == "SCMP_ACT_TRAP") return std::uint32_t{SCMP_ACT_TRAP};
    if (name == "SCMP_ACT_ERRNO") return std::uint32_t{SCMP_ACT_ERRNO(value)};
    if (name == "SCMP_ACT_TRACE") return std::uint32_t{SCMP_ACT_TRACE(value)};
    if (name == "SCMP_ACT_LOG") return std::uint32_t{SCMP_ACT_LOG};
    if (name == "SCMP_ACT_ALLOW") return std::uint32_t{SCMP_ACT_ALLOW};
    if (name == "SCMP_ACT_NOTIFY")
        return Error(ErrorCode::kRefused, "seccomp profile: SCMP_ACT_NOTIFY: a listener cannot be restored");
    return wrong_value(key, *found, "an action");
}

Result<scmp_arg_cmp> parse_argument(const Json &json) {
    if (!json.is_object()) return wrong("args: a list of objects is needed");
    scmp_arg_cmp compare{};
    HRUNC_ASSIGN(std::optional<std::uint64_t> index, number(json, "index", 5));
    HRUNC_ASSIGN(std::optional<std::uint64_t> value, number(json, "value", UINT64_MAX));
    HRUNC_ASSIGN(std::optional<std::uint64_t> second, number(json, "valueTwo", UINT64_MAX));
    auto named = json.find("op");
    if (!index || !value || named == json.end()) return wrong("args: index, value and op are needed");
    const Operator *known = std::find_if(std::begin(kOperators), std::end(kOperators), [&](const Operator &row) {
        return named->is_string() && row.oci == named->get_ref<const std::string &>();
    });
    if (known == std::end(kOperators)) return wrong_value("op", *named, "an operator");
    compare.arg = static_cast<unsigned>(*index);
    compare.op = known->value;
    compare.datum_a = *value; // for MASKED_EQ the mask
    compare.datum_b = second.value_or(0);
    return compare;
}

// Rules for the same argument twice: runc makes each condition a rule of its own, which is "or" and not "and".
bool repeats_an_argument(const std::vector<scmp_arg_cmp> &arguments) {
    std::array<unsigned, 6> counts{};
    for (const scmp_arg_cmp &compare : arguments)
        if (++counts[compare.arg] > 1) return true;
    return false;
}

Result<void> parse_rule(const Json &json, Profile &profile) {
    if (!json.is_object()) return wrong("syscalls: a list of objects is needed");
    Rule rule;
    HRUNC_ASSIGN(rule.action, parse_action(json, "action", "errnoRet"));
    if (auto arguments = json.find("args"); arguments != json.end() && !arguments->is_null()) {
        if (!arguments->is_array() || arguments->size() > 64) return wrong("args: a list of at most 64 is needed");
        for (const Json &argument : *arguments) {
            HRUNC_ASSIGN(scmp_arg_cmp compare, parse_argument(argument));
            rule.arguments.push_back(compare);
        }
    }
    auto names = json.find("names");
    if (names == json.end() || !names->is_array()) return wrong("syscalls: names are missing");
    for (const Json &name : *names) {
        if (!name.is_string() || name.get_ref<const std::string &>().empty())
            return wrong_value("names", name, "a name");
        if (profile.rules.size() >= kMaxSeccompRules)
            return wrong("more than the limit of " + std::to_string(kMaxSeccompRules) + " rules");
        rule.name = name.get<std::string>();
        profile.rules.push_back(rule);
    }
    return {};
}

Result<void> parse_architectures(const Json &json, arch::Isa isa, Profile &profile) {
    profile.architectures.push_back(isa == arch::Isa::kX8664 ? &kArchitectures[0] : &kArchitectures[3]);
    auto list = json.find("architectures");
    if (list == json.end() || list->is_null()) return {};
    if (!list->is_array()) return wrong("architectures: a list is needed");
    for (const Json &name : *list) {
        if (!name.is_string()) return wrong_value("architectures", name, "a name");
        for (const Architecture &row : kArchitectures)
            if (row.oci == name.get_ref<const std::string &>() && row.isa == isa &&
                std::find(profile.architectures.begin(), profile.architectures.end(), &row) ==
                    profile.architectures.end())
                profile.architectures.push_back(&row);
    }
    return {};
}

Result<void> parse_flags(const Json &json, Profile &profile) {
    auto list = json.find("flags");
    if (list == json.end() || list->is_null()) return {};
    if (!list->is_array()) return wrong("flags: a list is needed");
    for (const Json &name : *list) {
        auto known = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const auto &row) {
            return name.is_string() && row.oci == name.get_ref<const std::string &>();
        });
        if (known == std::end(kFlags)) return wrong_value("flags", name, "a flag that can be restored");
        profile.flags |= known->value;
    }
    return {};
}

Result<Profile> parse_profile(const Json &json, arch::Isa isa) {
    Profile profile;
    if (auto listener = json.find("listenerPath");
        listener != json.end() && !(listener->is_string() && listener->get_ref<const std::string &>().empty()))
        return Error(ErrorCode::kRefused, "seccomp profile: listenerPath: a listener cannot be restored");
    HRUNC_ASSIGN(profile.default_action, parse_action(json, "defaultAction", "defaultErrnoRet"));
    HRUNC_ASSIGN(std::optional<std::uint64_t> default_errno, number(json, "defaultErrnoRet", UINT16_MAX));
    profile.default_enosys = default_errno == ENOSYS;
    std::uint32_t kind = profile.default_action & SECCOMP_RET_ACTION_FULL;
    profile.default_allows = kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG || kind == SECCOMP_RET_TRACE;
    HRUNC_TRY(parse_architectures(json, isa, profile));
    HRUNC_TRY(parse_flags(json, profile));
    auto rules = json.find("syscalls");
    if (rules == json.end() || rules->is_null()) return profile;
    if (!rules->is_array()) return wrong("syscalls: a list is needed");
    for (const Json &rule : *rules) HRUNC_TRY(parse_rule(rule, profile));
    return profile;
}

struct FilterReleaser {
    void operator()(void *filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterReleaser>;

Error library_error(std::string_view act, int result) {
    return Error(ErrorCode::kInvalid, "seccomp profile: " + std::string(act) + ": " + std::strerror(-result));
}

Result<void> add_rule(const Filter &filter, const Rule &rule) {
    // The number is the build host's; libseccomp translates it for each architecture of the filter.
    int number = seccomp_syscall_resolve_name(rule.name.c_str());
    if (number == __NR_SCMP_ERROR) return {};
    auto add = [&](const scmp_arg_cmp *arguments, std::size_t count) -> Result<void> {
        int result = seccomp_rule_add_array(filter.get(), rule.action, number, static_cast<unsigned>(count), arguments);
        if (result < 0) return library_error("rule for " + rule.name, result);
        return {};
    };
    if (!repeats_an_argument(rule.arguments)) return add(rule.arguments.data(), rule.arguments.size());
    for (const scmp_arg_cmp &compare : rule.arguments) HRUNC_TRY(add(&compare, 1));
    return {};
}

// Writes the program of the rules to `file`.
Result<void> write_program(const Profile &profile, const Fd &file) {
    Filter filter(seccomp_init(profile.default_action));
    if (!filter) return wrong("libseccomp does not take the default action");
    std::uint32_t native = seccomp_arch_native();
    bool needs_native = false;
    for (const Architecture *row : profile.architectures) {
        if (row->scmp == native)
            needs_native = true;
        else if (int result = seccomp_arch_add(filter.get(), row->scmp); result < 0 && result != -EEXIST)
            return library_error(row->oci, result);
    }
    if (!needs_native)
        if (int result = seccomp_arch_remove(filter.get(), native); result < 0)
            return library_error("architecture", result);
    for (const Rule &rule : profile.rules)
        if (rule.action != profile.default_action) HRUNC_TRY(add_rule(filter, rule));
    if (int result = seccomp_export_bpf(filter.get(), file.get()); result < 0) return library_error("export", result);
    return {};
}

// Exit statuses of the child; any other one, a sanitizer's too, is a failure of libseccomp.
constexpr int kCompiled = 0, kNotCompiled = 100, kFailed = 101;

// The child of compile_rules: the program goes to `program`, or what is wrong to `message`.
[[noreturn]] void compile_and_exit(const Profile &profile, unsigned seconds, const Fd &program, const Fd &message) {
    rlimit time{seconds, seconds};
    rlimit no_core{0, 0};
    if (setrlimit(RLIMIT_CPU, &time) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0) _exit(kFailed);
    Result<void> written = write_program(profile, program);
    if (written) _exit(kCompiled);
    _exit(write_all(message, written.error().text()) ? kNotCompiled : kFailed);
}

Result<std::vector<sock_filter>> compile_rules(const Profile &profile, unsigned seconds) {
    Fd file(memfd_create("hrunc-seccomp", MFD_CLOEXEC)), message(memfd_create("hrunc-seccomp-error", MFD_CLOEXEC));
    if (!file || !message) return Error::system("memfd_create");
    pid_t child = fork();
    if (child < 0) return Error::system("fork");
    if (child == 0) compile_and_exit(profile, seconds, file, message);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return Error::system("waitpid");
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
        return Error(ErrorCode::kRefused, "seccomp profile: libseccomp has not compiled it in " +
                                              std::to_string(seconds) +
                                              " s; have fewer conditions for the arguments of one system call");
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNotCompiled) {
        if (lseek(message.get(), 0, SEEK_SET) < 0) return Error::system("lseek");
        HRUNC_ASSIGN(std::string text, read_to_end(message, 4096));
        return Error(ErrorCode::kInvalid, text);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != kCompiled)
        return Error(ErrorCode::kSystem, "seccomp profile: libseccomp failed while it compiled it (wait status " +
                                             std::to_string(status) + ")");
    if (lseek(file.get(), 0, SEEK_SET) < 0) return Error::system("lseek");
    HRUNC_ASSIGN(std::string bytes, read_to_end(file, (kMaxBpfInstructions + 1) * sizeof(sock_filter)));
    std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
    std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
    return program;
}

// The newest system call that the profile names, per architecture; 0: none.
std::uint32_t newest_named(const Profile &profile, const Architecture &row) {
    int newest = 0;
    for (const Rule &rule : profile.rules)
        newest = std::max(newest, seccomp_syscall_resolve_name_arch(row.scmp, rule.name.c_str()));
    return static_cast<std::uint32_t>(newest);
}

sock_filter load(std::uint32_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}

// In front of the filter: a newer system call than `newest` is one that the profile's author could not know, so the
// caller is told that it does not exist, and falls back, in place of being told that it is forbidden.
std::vector<sock_filter> enosys_section(std::uint32_t audit, std::uint32_t newest, std::uint32_t newest_x32) {
    constexpr std::uint32_t kArch = offsetof(seccomp_data, arch), kNumber = offsetof(seccomp_data, nr);
    std::vector<sock_filter> body;
    if (audit == AUDIT_ARCH_X86_64) {
        // x32 numbers carry a bit of their own; without a limit of their own they go to the filter.
        std::uint32_t limit_x32 = newest_x32 == 0 ? UINT32_MAX : newest_x32;
        body = {BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kX32Bit, 0, 1),
                BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, limit_x32, 1, 2),
                BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest == 0 ? UINT32_MAX : newest, 0, 1)};
    } else {
        body = {BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest, 0, 1)};
    }
    body.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    std::vector<sock_filter> section = {
        load(kArch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit, 0, static_cast<std::uint8_t>(body.size() + 1)),
        load(kNumber)};
    section.insert(section.end(), body.begin(), body.end());
    return section;
}

std::vector<sock_filter> enosys_stub(const Profile &profile) {
    std::vector<sock_filter> stub;
    if (profile.default_allows || profile.default_enosys) return stub;
    std::uint32_t x32 = 0;
    for (const Architecture *row : profile.architectures)
        if (row->scmp == SCMP_ARCH_X32) x32 = newest_named(profile, *row);
    for (const Architecture *row : profile.architectures) {
        if (row->scmp == SCMP_ARCH_X32) continue; // in X86_64's section
        std::uint32_t newest = newest_named(profile, *row);
        if (newest == 0 && !(row->audit == AUDIT_ARCH_X86_64 && x32 != 0)) continue;
        std::vector<sock_filter> section = enosys_section(row->audit, newest, x32);
        stub.insert(stub.end(), section.begin(), section.end());
    }
    return stub;
}

} // namespace

Result<SeccompProgram> compile_seccomp(std::string_view text, arch::Isa isa, unsigned seconds) {
    if (text.size() > kMaxSeccompProfile)
        return wrong("more than the limit of " + std::to_string(kMaxSeccompProfile) + " bytes");
    Profile profile;
    try {
        Json json = Json::parse(text, nullptr, false);
        if (json.is_discarded()) return wrong("not JSON");
        if (json.is_null()) return SeccompProgram{};
        if (!json.is_object()) return wrong("not an object");
        auto rules = json.find("syscalls");
        bool no_rules = rules == json.end() || rules->empty();
        if (json.value("defaultAction", "").empty() && no_rules) return SeccompProgram{};
        HRUNC_ASSIGN(profile, parse_profile(json, isa));
    } catch (const Json::exception &error) {
        return wrong(error.what());
    }
    HRUNC_ASSIGN(std::vector<sock_filter> rules, compile_rules(profile, seconds));
    std::vector<sock_filter> program = enosys_stub(profile);
    program.insert(program.end(), rules.begin(), rules.end());
    if (program.size() > kMaxBpfInstructions)
        return Error(ErrorCode::kRefused, "seccomp profile: " + std::to_string(program.size()) +
                                              " instructions: more than the kernel's limit of " +
                                              std::to_string(kMaxBpfInstructions));
    SeccompProgram out;
    out.bpf.assign(reinterpret_cast<const char *>(program.data()), program.size() * sizeof(sock_filter));
    out.flags = profile.flags;
    return out;
}

} // namespace hrunc::recode
