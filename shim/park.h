// Bringing every task of a container to a safe point, and back.
//
// park() thaws the container if the engine paused it, asks every task that has a migration ABI to reach a migration
// point, all together under one timeout, and leaves the container frozen in its cgroup with every such task parked: no
// task runs an instruction of its program until release(). Nothing about a task is changed for good: on any error, or
// on release(), the tasks run on as if nothing had happened, and the cgroup is as it was found.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"
#include "recode/recode.h"
#include "shim/listeners.h"

namespace hrunc::shim {

struct ParkRequest {
    pid_t init = 0;      // the container's first process, in the host's pid namespace
    std::string freezer; // its cgroup directory (v2), or the one of the freezer hierarchy (v1); empty: no cgroup,
                         // then the parked tasks are left stopped (SIGSTOP) until release()
    arch::Isa target = arch::host(); // for which ISA popcorn tasks are to lay out their state
    std::chrono::milliseconds timeout{10'000};
    bool refuse_unmigratable = false; // a task without a migration ABI is an error, not left alone
    // Its TCP connections are to be kept: before the tasks are asked, they are given a second to accept those that wait
    // for it, and no new ones begin until set_listeners_free() or release(). See shim/listeners.h.
    bool hold_listeners = false;
    // Called once, before the first change, with what journal() gives: for release_by_journal() should this program be
    // killed before park() returns. An error ends park() with nothing changed.
    std::function<Result<void>(const std::string &journal)> save_journal;
};

// A process of the container. One without an ABI is frozen like the others, but wherever it happened to be.
struct ParkedTask {
    pid_t pid = 0;          // in the host's pid namespace
    pid_t pid_inside = 0;   // in the container's
    std::string comm;       // printable
    std::string executable; // path inside the container, printable
    recode::Abi abi = recode::Abi::kNone;
};

class Park {
  public:
    // Errors: kRefused names the process and the reason, kTimeout those that did not answer; kPeer: the container died.
    // A task that had begun to answer when the time ran out may send itself SIGALRM after the error was returned; the
    // ABI demands that this has no effect. All ptrace(2) is over when this returns.
    static Result<Park> park(const ParkRequest &request);
    // What release() needs, as JSON text, for another process to undo with should this one be killed. It does not
    // change while the container is being parked.
    const std::string &journal() const { return journal_; }
    // Undoes a park() whose program was killed at any moment, or one that succeeded. A container that is gone is fine.
    static Result<void> release_by_journal(const std::string &journal);

    // After a restore on the ISA of the dump: lets the processes of the tree go on that were dumped parked and wait in
    // the kernel (the portable ABI). What was recoded needs no help.
    static Result<void> release_restored(pid_t init);

    // Destroying does not release: a task that was dumped is gone, or the caller says so.
    Park(Park &&) noexcept = default;
    Park &operator=(Park &&) noexcept = default;

    const std::vector<ParkedTask> &tasks() const { return tasks_; } // every process of the container
    bool was_frozen() const { return was_frozen_; }                 // the engine had paused the container before
    Result<void> release();                                         // idempotent

    // For ParkRequest::hold_listeners. When nothing reaches the container any more, but before its sockets are dumped.
    Result<void> set_listeners_free();
    // After a dump whose tasks are gone: tells the clients of connections that were never accepted.
    void reset_unaccepted();

  private:
    Park() = default;
    std::string journal_;
    std::optional<Listeners> listeners_;
    std::vector<ParkedTask> tasks_;
    bool was_frozen_ = false;
    bool released_ = false;
};

} // namespace hrunc::shim
