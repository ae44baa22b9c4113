// What Parking does with each thing that a traced task reports.
#include <algorithm>

#include "shim/parking.h"

namespace hrunc::shim {

Result<void> Parking::handle(const Event &event) {
    if (event.kind == Event::Kind::kGone) {
        if (event.pid == request_.init) init_gone_ = true;
        if (tasks_.erase(event.pid) == 0) early_.insert(event.pid);
        return {};
    }
    auto [here, unknown] = tasks_.try_emplace(event.pid);
    Task &task = here->second;
    if (unknown) {
        early_.insert(event.pid);
        task.process.pid = task.process.pid_inside = event.pid;
    }
    task.stop = event;
    expect(event.child);
    switch (mode_) {
    case Mode::kAsk:
        return handle_asking(task, event);
    case Mode::kWithdraw:
        return handle_withdrawing(task, event);
    case Mode::kLeave:
        return handle_leaving(task, event);
    }
    return {};
}

// A child can report before its parent tells of it, and can even be gone by then.
void Parking::expect(pid_t child) {
    if (child <= 0 || early_.erase(child) > 0) return;
    tasks_[child].process.pid = tasks_[child].process.pid_inside = child;
}

Result<void> Parking::handle_asking(Task &task, const Event &event) {
    if (event.kind == Event::Kind::kExec) {
        task.migratable.reset();
        return begin(task, event);
    }
    // Any stop uses up the one that was asked for at attaching.
    if (task.phase == Phase::kStarting || event.kind == Event::Kind::kVforkDone) return begin(task, event);
    if (task.phase == Phase::kLeaving) { // the stop that it was sent to
        task.phase = Phase::kParked;
        return {};
    }
    if (event.kind == Event::Kind::kVfork) {
        HRUNC_TRY(task.migratable->withdraw());
        task.phase = Phase::kInVfork;
    } else if (task.phase == Phase::kAsked) {
        HRUNC_ASSIGN(bool ready, says_ready(task, event));
        if (ready) return answered(task);
    }
    return go_on(task, event);
}

// Nothing is asked any more; what has been asked may still be answered.
Result<void> Parking::handle_withdrawing(Task &task, const Event &event) {
    if (event.kind == Event::Kind::kExec || task.phase == Phase::kLeaving) return let_go(task, 0);
    if (task.phase == Phase::kStarting) {
        // A child made meanwhile has its parent's request in its copy of the memory.
        HRUNC_ASSIGN(bool migratable, look_at(task));
        if (migratable) HRUNC_TRY(task.migratable->withdraw());
        return let_go(task, event.signal);
    }
    HRUNC_ASSIGN(bool ready, says_ready(task, event));
    return ready ? let_go(task, 0) : go_on(task, event);
}

// Whatever it has stopped for is the chance to detach.
Result<void> Parking::handle_leaving(Task &task, const Event &event) {
    if (event.kind != Event::Kind::kSignal) return let_go(task, 0);
    HRUNC_ASSIGN(bool ready, says_ready(task, event));
    return let_go(task, ready ? 0 : event.signal);
}

// A stop at which it may be asked: the first one, the first after an exec, the end of a vfork.
Result<void> Parking::begin(Task &task, const Event &event) {
    HRUNC_ASSIGN(bool migratable, look_at(task));
    if (!migratable) return let_go(task, event.signal);
    if (single_ && event.pid != request_.init) {
        HRUNC_TRY(task.migratable->withdraw());
        return let_go(task, event.signal);
    }
    if (event.kind == Event::Kind::kVfork)
        task.phase = Phase::kInVfork;
    else if (tasks_.contains(task.process.parent) && share_memory(event.pid, task.process.parent))
        task.phase = Phase::kBorrowing;
    else {
        asked_any_ = true;
        task.phase = Phase::kAsked;
        HRUNC_TRY(task.migratable->ask());
    }
    return go_on(task, event);
}

// Fills in what the task is, unless that is known. False: it has no ABI, or is gone.
Result<bool> Parking::look_at(Task &task) {
    if (task.migratable) return true;
    HRUNC_ASSIGN(std::optional<Process> process, read_process(task.process.pid));
    if (!process || !process->alive() || process->executable.empty()) return false;
    if (process->group_leader != process->pid) { // a thread: for the message, its process
        HRUNC_ASSIGN(std::optional<Process> leader, read_process(process->group_leader));
        if (leader) process->pid_inside = leader->pid_inside;
    }
    task.process = std::move(*process);
    HRUNC_ASSIGN(Found found, find_migratable(task.process, request_.target));
    task.migratable = std::move(found.migratable);
    if (!task.migratable && request_.refuse_unmigratable && mode_ == Mode::kAsk)
        return Error(ErrorCode::kRefused, task.process.described() + " has no migratable binary" +
                                              (found.flaw.empty() ? "" : ": " + found.flaw));
    return task.migratable != nullptr;
}

Result<bool> Parking::says_ready(Task &task, const Event &event) const {
    if (event.kind != Event::Kind::kSignal || !task.migratable) return false;
    std::optional<siginfo_t> signal = Tracee(event.pid).signal_info();
    if (!signal) return false;
    return task.migratable->answered(*signal);
}

Result<void> Parking::answered(Task &task) {
    task.phase = Phase::kParked;
    if (!freezer_) return {};
    // Out of the delivery at once: were this program killed now, the signal would be delivered.
    task.phase = Phase::kLeaving;
    task.stop.reset();
    Tracee tracee(task.process.pid);
    HRUNC_TRY(tracee.interrupt());
    HRUNC_TRY(tracee.resume(0));
    return {};
}

Result<void> Parking::go_on(Task &task, const Event &event) {
    Tracee tracee(task.process.pid);
    if (event.kind != Event::Kind::kGroupStop) task.stop.reset();
    HRUNC_TRY_IN(event.kind == Event::Kind::kGroupStop ? tracee.stay_stopped() : tracee.resume(event.signal),
                 task.process.described());
    return {};
}

// The task is forgotten: `task` is not to be used afterwards.
Result<void> Parking::let_go(Task &task, int signal) {
    Tracee tracee(task.process.pid);
    task.stop.reset();
    HRUNC_ASSIGN_IN(bool left, tracee.detach(signal), task.process.described());
    // Not left: SIGKILL is on its way, and its end will be reported.
    if (left || mode_ != Mode::kAsk) tasks_.erase(tracee.pid());
    return {};
}

} // namespace hrunc::shim
