// Instrumentation that lets a running program be captured and rebuilt on the other ISA.
//
// instrument() takes a whole, optimised, target-neutral module without computed gotos (branches.h) and changes it so
// that
//   - every loop and every recursion reaches `__popcorn_poll` within a bounded time once `__popcorn_notify_flag` is
//     not 0, and every call that may end up in `__popcorn_poll` or `__popcorn_syscall` carries a "deopt" operand
//     bundle: the code generator then records where each value that is live across the call lies at its return address
//     (section .llvm_stackmaps) and adds no instruction for it. Calls that end their function become jumps where both
//     back ends make such of them: they leave no frame;
//   - each function with such a call has a clone `NAME.resume(record)`, which copies the record into its frame,
//     calls the resume function of the next record, takes those values from the copy and goes on after the call;
//   - `__popcorn_resume_functions` lists the clones.
//
// It runs once, before the module is lowered for the first ISA: site numbers and value lists are those of the module,
// hence equal on both ISAs. popcorn/abi.h says what the records hold; popcorn/link/site_table.h reads the result of the
// code generator. The code generator must run at O2 or O3 (not through GlobalISel) with
// -use-registers-for-deopt-values and -no-x86-call-frame-opt.
#pragma once

#include "base/result.h"

#include <string>
#include <vector>

namespace llvm {
class Module;
}

namespace hrunc::popcorn {

struct CaptureOptions {
    bool verify = true;            // run LLVM's module verifier after each step
    bool loop_polls = true;        // false: only system calls are migration points
    unsigned poll_interval = 4096; // iterations of a loop between two polls, at most
};

struct CaptureFigures {
    unsigned functions = 0; // with sites, hence with a clone
    unsigned sites = 0;
    unsigned values = 0; // over all sites
    unsigned polls = 0;
    unsigned skipped = 0; // functions that can be on the stack but cannot be captured (variadic, vfork)
};

// Functions with the attribute "popcorn-no-poll" get no polls. Fails with kRefused where the module holds what cannot
// be captured (exception handling, operand bundles of another kind), with kInternal where a step breaks the module.
Result<CaptureFigures> instrument(llvm::Module &module, const CaptureOptions &options);

// For a program that is not to be captured: only what the runtime refers to.
void leave_uninstrumented(llvm::Module &module);

// Names that instrument(), the runtime and the site table share.
inline constexpr const char *kPollFunction = "__popcorn_poll";
inline constexpr const char *kSyscallFunction = "__popcorn_syscall";
inline constexpr const char *kCopyFunction = "__popcorn_copy_record";
inline constexpr const char *kNotifyFlag = "__popcorn_notify_flag";
inline constexpr const char *kResumeFunctions = "__popcorn_resume_functions";
// Flags in a bundle, see site_table.h.
inline constexpr unsigned kBundleFloors = 1, kBundleObjects = 2, kBundleCopy = 4;
inline constexpr const char *kNoPollAttribute = "popcorn-no-poll";
// Of functions in which a migration point may be reached, and of those that have a site or a jump for each such call.
inline constexpr const char *kReachingAttribute = "popcorn-reaching", *kSitesAttribute = "popcorn-sites";

} // namespace hrunc::popcorn
