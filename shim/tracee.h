// ptrace(2) by values: what a wait reported is an Event, and a tracee that died is an outcome, not an error. All calls
// on a tracee come from the thread that attached it. When that thread ends, the kernel detaches what is left.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>

#include "base/result.h"

namespace hrunc::shim {

struct Event {
    enum class Kind {
        kGone,      // exited or killed
        kSignal,    // stopped before the delivery of `signal`
        kStop,      // stopped by interrupt(), or a new child's first stop, or the end of a group stop
        kGroupStop, // SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU has stopped it
        kFork,      // it has made `child` by fork or clone
        kVfork,     // the same by vfork: it sleeps until the child executes or exits (kVforkDone)
        kVforkDone,
        kExec,
        kOther, // stopped for something that was not asked for
    };
    pid_t pid = 0;
    Kind kind = Kind::kOther;
    int signal = 0;
    pid_t child = 0;
};

class Tracee {
  public:
    // Attaches without stopping; children of the task will be attached from their first instruction on. False: gone.
    // Killing the tracer lets the task run on.
    static Result<bool> seize(pid_t pid);
    // What happened next to any tracee of this thread; nothing if nothing did. Does not wait, and does not see other
    // children of this program.
    static Result<std::optional<Event>> poll();

    explicit Tracee(pid_t pid) : pid_(pid) {}
    pid_t pid() const { return pid_; }

    // Each is false if the task is gone, or is not stopped because SIGKILL is on its way.
    Result<bool> interrupt() const;               // a stop will be reported
    Result<bool> resume(int signal) const;        // from a stop; delivers `signal` if it is not 0
    Result<bool> stay_stopped() const;            // in a group stop: until SIGCONT, which will be reported
    Result<bool> detach(int signal) const;        // from a stop; delivers `signal` if it stopped before a delivery
    std::optional<siginfo_t> signal_info() const; // in a stop before a delivery

  private:
    Result<bool> request(int operation, long data, const char *what) const;

    pid_t pid_;
};

} // namespace hrunc::shim
