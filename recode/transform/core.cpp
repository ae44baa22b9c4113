#include "recode/transform/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "recode/image_directory.h"
#include "recode/transform/popcorn_state.h"

namespace hrunc::recode {

namespace {

// <asm/signal.h>, <linux/personality.h>: the same numbers on both ISAs, except for the least alternate stack
// (arch/arm64/include/uapi/asm/signal.h).
constexpr std::uint64_t kSaRestorer = 0x04000000;
constexpr std::uint64_t kDefaultHandler = 0, kIgnoreHandler = 1;
constexpr std::uint32_t kAlternateStackDisabled = 2;
constexpr std::uint64_t kLeastAlternateStack[] = {2048, 5120}; // by Isa
constexpr std::uint32_t kPersonalityMask = 0xff, kPersonality32Bit = 0x08;
constexpr std::uint32_t kX86ModeCompat = 2;
constexpr std::uint64_t kShadowStackEnabled = 1; // ARCH_SHSTK_SHSTK
// What librseq and the C libraries put in front of abort handlers, by Isa.
constexpr std::uint32_t kRseqSignature[] = {0x53053053, 0xd428bc00};

Error refused(std::string text) {
    return Error(ErrorCode::kRefused, std::move(text));
}

Result<void> check_thread(const images::Core &core, arch::Isa to) {
    if (core.has_x86()) {
        if (core.x86().registers().mode() == kX86ModeCompat) return refused("is a 32-bit task");
        const auto &xsave = core.x86().floating_point().xsave();
        if ((xsave.cet().control() & kShadowStackEnabled) != 0) return refused("runs with a shadow stack (CET)");
    }
    if (core.has_task()) {
        if ((core.task().personality() & kPersonalityMask) == kPersonality32Bit)
            return refused("has a 32-bit personality");
        for (const images::SignalAction &action : core.task().signal_actions())
            if (action.compat()) return refused("is a 32-bit task");
    }
    const auto &stack = core.thread().alternate_stack();
    std::uint64_t least = kLeastAlternateStack[static_cast<int>(to)];
    if (core.thread().has_alternate_stack() && (stack.flags() & kAlternateStackDisabled) == 0 && stack.size() < least)
        return refused(fmt::format("its alternate signal stack of {} bytes is smaller than {}'s least, {}",
                                   stack.size(), arch::name(to), least));
    return {};
}

// The list leaves SIGKILL and SIGSTOP out.
int signal_number(int index) {
    int number = index + 1;
    if (number >= 9) ++number;
    if (number >= 19) ++number;
    return number;
}

// On x86-64 a handler returns through its restorer, which is code of the program; aarch64 has one in the vdso, and the
// program's own only if it stands at one address on both.
Result<void> recode_actions(images::TaskCore &task, const ThreadState &state, arch::Isa to) {
    if (state.keep_restorers) return {};
    for (int i = 0; i < task.signal_actions_size(); ++i) {
        images::SignalAction &action = *task.mutable_signal_actions(i);
        bool has = (action.flags() & kSaRestorer) != 0;
        if (has && state.sigreturn && action.restorer() == *state.sigreturn) continue;
        bool handled = action.handler() != kDefaultHandler && action.handler() != kIgnoreHandler;
        action.set_flags(action.flags() & ~kSaRestorer);
        action.set_restorer(0);
        if (to == arch::Isa::kAarch64 || !handled) continue;
        if (!state.sigreturn)
            return refused(fmt::format("handles signal {}, and its program has no " POPCORN_SYMBOL_SIGRETURN
                                       " for the handler to return through on x86-64",
                                       signal_number(i)));
        action.set_flags(action.flags() | kSaRestorer);
        action.set_restorer(*state.sigreturn);
    }
    return {};
}

void recode_rseq(images::ThreadCore &thread, arch::Isa from, arch::Isa to) {
    if (!thread.has_rseq()) return;
    images::Rseq &rseq = *thread.mutable_rseq();
    rseq.clear_critical_section(); // code of the source; a parked thread is in none
    if (rseq.signature() == kRseqSignature[static_cast<int>(from)])
        rseq.set_signature(kRseqSignature[static_cast<int>(to)]);
}

unsigned drop_bits(google::protobuf::RepeatedField<std::uint32_t> &words, std::uint32_t last) {
    unsigned dropped = 0;
    for (int i = 0; i < words.size(); ++i) {
        auto first = static_cast<std::uint32_t>(i) * 32;
        std::uint32_t known = last >= first + 31 ? UINT32_MAX : last < first ? 0 : (2U << (last - first)) - 1;
        dropped += static_cast<unsigned>(std::popcount(words[i] & ~known));
        words[i] &= known;
    }
    return dropped;
}

} // namespace

Result<void> recode_thread(images::Core &core, const ThreadState &state, arch::Isa to) {
    HRUNC_TRY(check_thread(core, to));
    bool has_block = to == arch::Isa::kX8664 ? core.has_x86() : core.has_aarch64();
    if (state.saved_block && has_block)
        core.set_machine(arch::facts(to).criu_march);
    else
        HRUNC_TRY(set_popcorn_thread(core, state.regs, state.tls, to));
    if (core.has_thread()) recode_rseq(*core.mutable_thread(), arch::other(to), to);
    if (!core.has_task()) return {};
    images::TaskCore &task = *core.mutable_task();
    task.set_state(kTaskAlive);
    task.clear_stop_signal();
    return recode_actions(task, state, to);
}

void recode_dead(images::Core &core, arch::Isa to) {
    core.set_machine(arch::facts(to).criu_march);
}

unsigned drop_unknown_capabilities(images::Core &core, std::uint32_t last_capability) {
    if (!core.has_thread() || !core.thread().has_credentials()) return 0;
    images::Credentials &credentials = *core.mutable_thread()->mutable_credentials();
    unsigned most = 0;
    for (auto *words : {credentials.mutable_inheritable(), credentials.mutable_permitted(),
                        credentials.mutable_effective(), credentials.mutable_bounding(), credentials.mutable_ambient()})
        most = std::max(most, drop_bits(*words, last_capability));
    return most;
}

} // namespace hrunc::recode
