// `hrunc notify`: by hand, for one process that is in no container. Its children are left alone.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "arch/isa.h"
#include "base/result.h"
#include "shim/park.h"

namespace hrunc::shim {

// Asks the process to lay out its state for `target`, and leaves it stopped (as by SIGSTOP) where it can be dumped.
// SIGCONT, or notify_undo(), lets it run on here. On an error it runs on as if nothing had happened. Errors are those
// of Park::park().
Result<ParkedTask> notify_process(pid_t pid, arch::Isa target, std::chrono::milliseconds timeout);

// Takes back a request that is not answered, and lets a process that has answered run on.
Result<void> notify_undo(pid_t pid);

} // namespace hrunc::shim
