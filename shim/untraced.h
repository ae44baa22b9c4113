// The processes of a container that are asked without ptrace(2): they are told through their memory, nudged by a
// signal, and say in their memory that they are parked. They stay so, in the kernel, until they are released.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "shim/migratable.h"
#include "shim/process.h"

namespace hrunc::shim {

class Untraced {
  public:
    struct Task {
        Process process;
        std::unique_ptr<Migratable> migratable;
        bool asked = false, ready = false;
    };

    // As found at a look around, when the container is frozen: a task that is known keeps what it has answered, unless
    // it is another program by now.
    void found(Process process, std::unique_ptr<Migratable> migratable);
    // After a look around: forgets those that were not found in it.
    void end_of_look();

    // Asks those that were not asked yet, nudges those that are not ready, and looks whether they are. True: one has
    // become ready. The error kPeer: `init` is gone.
    Result<bool> serve(pid_t init);
    bool unanswered() const;
    // See Migratable::alone().
    Result<bool> alone() const;
    // Takes back every request. The first error is given after all were tried.
    Result<void> withdraw();

    const std::map<pid_t, Task> &tasks() const { return tasks_; }

  private:
    bool borrows_memory(const Task &task) const;
    Result<bool> serve(Task &task, bool nudge);

    std::map<pid_t, Task> tasks_;
    std::map<pid_t, Task> last_look_;
    std::chrono::steady_clock::time_point next_nudge_;
};

} // namespace hrunc::shim
