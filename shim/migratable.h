// How a process is asked to make itself ready for a migration: one implementation an ABI, found by what the process's
// executable says. The executable and the memory are the container's: both are checked before use.
#pragma once

#include <signal.h>

#include <memory>
#include <optional>
#include <string>

#include "arch/isa.h"
#include "base/result.h"
#include "recode/elf.h"
#include "recode/recode.h"
#include "shim/process.h"

namespace hrunc::shim {

class Migratable {
  public:
    virtual ~Migratable() = default;
    virtual recode::Abi abi() const = 0;
    // A traced process is asked while it is stopped under ptrace(2), and answers by a signal. One that is not traced is
    // asked as it runs, and nudged every few milliseconds until it is ready.
    virtual bool traced() const { return true; }

    // In each, false means that the process is gone.
    virtual Result<bool> ask() = 0;
    virtual Result<bool> nudge() { return true; }
    virtual Result<bool> withdraw() = 0; // takes back what ask() did, if it is not answered; at any time
    // Whether the process, stopped before the delivery of `signal`, says by it that it is ready.
    virtual Result<bool> answered(const siginfo_t &signal) = 0;
    // Whether it is ready as far as its memory tells: for a process that this program has not watched.
    virtual Result<bool> ready() = 0;
    // Whether it has no threads but those that are ready with it. Others are about to end, or are none of its
    // program's.
    virtual Result<bool> alone() { return true; }
};

struct Found {
    std::unique_ptr<Migratable> migratable; // null: the process has no migration ABI
    std::string flaw;                       // then: why, where it is not plainly that it has none
};

// One for each ABI. Errors as for find_migratable(), and those of the executable (kInvalid, kSystem).
Result<Found> find_popcorn(const Process &process, const recode::Elf &elf, arch::Isa target);
Result<Found> find_portable(const Process &process, const recode::Elf &elf);

// Errors are those of a process that has an ABI but cannot be moved by it (ErrorCode::kRefused). The process is to be
// stopped or frozen, or an exec makes the answer stale. `target`: what ask() will ask for.
Result<Found> find_migratable(const Process &process, arch::Isa target);

// Whether two processes have one memory, as after vfork.
bool share_memory(pid_t one, pid_t other);

} // namespace hrunc::shim
