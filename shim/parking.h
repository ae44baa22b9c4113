// The machine behind Park: one run from the first freeze to every task parked, or back. Runs in a thread of its own,
// so that whatever happens the kernel detaches what is left when the thread ends.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "shim/freezer.h"
#include "shim/migratable.h"
#include "shim/park.h"
#include "shim/process.h"
#include "shim/tracee.h"
#include "shim/untraced.h"

namespace hrunc::shim {

class Parking {
  public:
    // `single`: only the process `init`; its children are left alone.
    Parking(const ParkRequest &request, std::optional<Freezer> freezer, bool was_frozen, bool single);
    // Parks, or undoes what was done and says why.
    Result<std::vector<ParkedTask>> run();

  private:
    enum class Phase {
        kStarting,  // attached; its first stop is to come
        kAsked,     // runs to its migration point
        kInVfork,   // sleeps until its vfork child is done; the request is withdrawn, the child would see it
        kBorrowing, // runs in its parent's memory until it executes or exits
        kLeaving,   // has answered; goes from the signal's delivery to a stop that delivers nothing
        kParked,    // stopped, ready
    };
    enum class Mode { kAsk, kWithdraw, kLeave };
    struct Task {
        Process process;
        std::unique_ptr<Migratable> migratable; // null: not looked at since its last exec
        Phase phase = Phase::kStarting;
        std::optional<Event> stop; // what it is stopped for under trace; nothing while it runs
    };
    using Tasks = std::map<pid_t, Task>;

    Result<void> attempt();
    Result<void> undo();
    template <typename Keep> void serve_until(Deadline until, Keep &keep);
    Result<std::vector<Process>> look_around();
    Result<std::vector<pid_t>> list() const;
    Error init_is_gone() const;
    Result<std::optional<Process>> consider(pid_t pid, const std::vector<pid_t> &in_cgroup);
    Result<void> attach(Process process);
    Result<void> wait_for_answers();
    Result<bool> threads_have_ended();
    Result<void> leave_parked();
    Result<void> wait_until_stopped() const;
    Error overdue() const;

    bool unanswered() const;
    Result<bool> poll_once();
    Result<void> handle(const Event &event);
    void expect(pid_t child);
    Result<void> handle_asking(Task &task, const Event &event);
    Result<void> handle_withdrawing(Task &task, const Event &event);
    Result<void> handle_leaving(Task &task, const Event &event);
    Result<void> begin(Task &task, const Event &event);
    Result<bool> look_at(Task &task);
    Result<void> answered(Task &task);
    Result<bool> says_ready(Task &task, const Event &event) const;
    Result<void> go_on(Task &task, const Event &event);
    Result<void> let_go(Task &task, int signal);

    const ParkRequest &request_;
    std::optional<Freezer> freezer_;
    bool was_frozen_, single_;
    Deadline deadline_;
    Mode mode_ = Mode::kAsk;
    Tasks tasks_; // under ptrace
    Untraced untraced_;
    std::set<pid_t> early_;          // children that reported before their parents did
    std::vector<ParkedTask> others_; // without an ABI
    bool init_gone_ = false;
    bool asked_any_ = false;
    bool thawed_ = false;
    std::optional<Deadline> ending_; // how long threads may take to end that have left their programs
};

} // namespace hrunc::shim
