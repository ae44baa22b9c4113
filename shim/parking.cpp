#include "shim/parking.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace hrunc::shim {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How long a task from which the request was withdrawn stays under trace: it may be rewriting its stack already, and
// will say so by a signal that is better caught.
constexpr milliseconds kWithdrawGrace{300};
constexpr milliseconds kSettle{5'000};    // for the freezer to follow, after the deadline too
constexpr milliseconds kLeaveTime{2'000}; // for tasks to stop so that they can be detached
constexpr milliseconds kEnding{500};      // for threads to end
constexpr int kMaxNamed = 4;              // processes in a message

// Waits a little longer each time, from a fraction of a migration's length on.
class Backoff {
  public:
    void sleep() {
        std::this_thread::sleep_for(next_);
        next_ = std::min(next_ * 2, std::chrono::microseconds(2'000));
    }
    void restart() { next_ = kFirst; }

  private:
    static constexpr std::chrono::microseconds kFirst{50};
    std::chrono::microseconds next_ = kFirst;
};

ParkedTask summary(const Process &process, recode::Abi abi) {
    return {process.pid, process.pid_inside, process.comm, process.executable, abi};
}

Error unmigratable(const Process &process, const std::string &flaw) {
    return {ErrorCode::kRefused, process.described() + " has no migratable binary" + (flaw.empty() ? "" : ": " + flaw)};
}

} // namespace

Parking::Parking(const ParkRequest &request, std::optional<Freezer> freezer, bool was_frozen, bool single)
    : request_(request), freezer_(std::move(freezer)), was_frozen_(was_frozen), single_(single),
      deadline_(steady_clock::now() + request.timeout) {}

Result<std::vector<ParkedTask>> Parking::run() {
    Result<void> done = attempt();
    if (!done) {
        Error error = std::move(done).error();
        Result<void> undone = undo();
        if (!undone) return Error(error.code(), error.text() + "; then " + undone.error().text());
        return error;
    }
    std::vector<ParkedTask> parked = std::move(others_);
    for (const auto &[pid, task] : tasks_) parked.push_back(summary(task.process, task.migratable->abi()));
    for (const auto &[pid, task] : untraced_.tasks()) parked.push_back(summary(task.process, task.migratable->abi()));
    return parked;
}

Result<void> Parking::attempt() {
    for (;;) {
        // Frozen, they hold still: the list is complete, and what is refused is refused before a task is touched. Later
        // rounds find what a process without an ABI has forked or executed meanwhile.
        if (freezer_) HRUNC_TRY(freezer_->freeze(deadline_));
        HRUNC_ASSIGN(std::vector<Process> found, look_around());
        const bool answered = found.empty() && !untraced_.unanswered();
        if (answered) {
            HRUNC_ASSIGN(bool ended, threads_have_ended());
            if (ended) return leave_parked();
        }
        // Not before they are attached: a task that a signal has stopped cannot become a tracee while version 1's
        // freezer holds it, and ptrace(2) would wait for that without end.
        thawed_ = true;
        if (freezer_) HRUNC_TRY(freezer_->thaw(deadline_));
        for (Process &process : found) HRUNC_TRY(attach(std::move(process)));
        HRUNC_TRY(wait_for_answers());
        if (answered) std::this_thread::sleep_for(milliseconds(1)); // for threads to end
    }
}

// A thread that its program no longer counts takes a moment to end, and is in no record that it could be restored from.
// One that stays is a matter of the program, and a dump that restores on the same ISA has it.
Result<bool> Parking::threads_have_ended() {
    HRUNC_ASSIGN(bool ended, untraced_.alone());
    if (ended) return true;
    if (!ending_) ending_ = std::min(steady_clock::now() + kEnding, deadline_);
    return steady_clock::now() >= *ending_;
}

// The processes that can be asked and are not attached yet.
Result<std::vector<Process>> Parking::look_around() {
    HRUNC_ASSIGN(std::vector<pid_t> pids, list());
    std::vector<pid_t> in_cgroup;
    if (freezer_) {
        HRUNC_ASSIGN(in_cgroup, freezer_->processes(kMaxProcesses));
    }
    others_.clear();
    std::vector<Process> found;
    for (pid_t pid : pids) {
        if (tasks_.contains(pid)) continue;
        if (steady_clock::now() >= deadline_) return overdue();
        HRUNC_ASSIGN(std::optional<Process> process, consider(pid, in_cgroup));
        if (process) found.push_back(std::move(*process));
    }
    untraced_.end_of_look();
    return found;
}

Result<std::vector<pid_t>> Parking::list() const {
    if (single_) return std::vector<pid_t>{request_.init};
    HRUNC_ASSIGN(std::vector<pid_t> pids, process_tree(request_.init));
    if (!freezer_) return pids;
    // What was put into the container from outside has its parent outside.
    HRUNC_ASSIGN(std::vector<pid_t> more, freezer_->processes(kMaxProcesses));
    for (pid_t pid : more)
        if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
    return pids;
}

Error Parking::init_is_gone() const {
    std::string pid = std::to_string(request_.init);
    return Error(ErrorCode::kPeer,
                 single_ ? "process " + pid + " is gone" : "the first process of the container, " + pid + ", is gone");
}

// The process, if it can be asked and is to be attached for that.
Result<std::optional<Process>> Parking::consider(pid_t pid, const std::vector<pid_t> &in_cgroup) {
    HRUNC_ASSIGN(std::optional<Process> process, read_process(pid));
    if (!process || !process->alive() || process->executable.empty()) { // without its memory it is about to exit
        if (pid != request_.init) return std::optional<Process>();
        return init_is_gone();
    }
    HRUNC_ASSIGN(Found found, find_migratable(*process, request_.target));
    if (!found.migratable) {
        if (request_.refuse_unmigratable) return unmigratable(*process, found.flaw);
        others_.push_back(summary(*process, recode::Abi::kNone));
        return std::optional<Process>();
    }
    if (freezer_ && std::find(in_cgroup.begin(), in_cgroup.end(), pid) == in_cgroup.end())
        return Error(ErrorCode::kRefused, process->described() + " is outside the container's cgroup");
    if (process->tracer != 0)
        return Error(ErrorCode::kRefused, process->described() + " is being traced by another program");
    if (!found.migratable->traced()) {
        untraced_.found(std::move(*process), std::move(found.migratable));
        return std::optional<Process>();
    }
    return process;
}

Result<void> Parking::attach(Process process) {
    Result<bool> attached = Tracee::seize(process.pid);
    HRUNC_ASSIGN(std::optional<Process> now, read_process(process.pid));
    // A process that is being killed may not be attached to: EPERM.
    if (!now || !now->alive() || (attached.ok() && !*attached)) return {};
    if (!attached) return std::move(attached).error().in(process.described());
    // Between the look at it and the attaching, the number may have gone to another process.
    if (now->start_time != process.start_time)
        return Error(ErrorCode::kPeer, process.described() + " went away while it was attached");
    HRUNC_ASSIGN_IN(bool interrupted, Tracee(process.pid).interrupt(), process.described());
    // Its executable is looked at again when it has stopped.
    if (interrupted) tasks_[process.pid].process = std::move(process);
    return {};
}

bool Parking::unanswered() const {
    return untraced_.unanswered() || std::any_of(tasks_.begin(), tasks_.end(), [](const auto &entry) {
               return entry.second.phase != Phase::kParked;
           });
}

Error Parking::overdue() const {
    std::string names;
    int count = 0;
    for (const auto &[pid, task] : tasks_) {
        if (task.phase == Phase::kParked || ++count > kMaxNamed) continue;
        names += (names.empty() ? "" : ", ") + task.process.described();
        if (task.stop && task.stop->kind == Event::Kind::kGroupStop) names += " (stopped by a signal)";
        if (task.phase == Phase::kBorrowing) names += " (shares its parent's memory)";
    }
    for (const auto &[pid, task] : untraced_.tasks())
        if (!task.ready && ++count <= kMaxNamed) names += (names.empty() ? "" : ", ") + task.process.described();
    if (count > kMaxNamed) names += ", ...";
    std::string time = std::to_string(request_.timeout.count()) + " ms";
    if (count == 0) return {ErrorCode::kTimeout, "the container could not be looked through within " + time};
    return {ErrorCode::kTimeout, std::to_string(count) + " of " +
                                     std::to_string(tasks_.size() + untraced_.tasks().size()) +
                                     " processes did not reach a migration point within " + time + ": " + names};
}

Result<void> Parking::wait_for_answers() {
    Backoff backoff;
    while (unanswered()) {
        HRUNC_ASSIGN(bool progress, untraced_.serve(request_.init));
        HRUNC_ASSIGN(bool happened, poll_once());
        happened = happened || progress;
        if (tasks_.size() > kMaxProcesses)
            return Error(ErrorCode::kRefused,
                         "the container has more than " + std::to_string(kMaxProcesses) + " processes");
        if (steady_clock::now() >= deadline_) return overdue();
        happened ? backoff.restart() : backoff.sleep();
    }
    return {};
}

// Handles one event, if there is one.
Result<bool> Parking::poll_once() {
    HRUNC_ASSIGN(std::optional<Event> event, Tracee::poll());
    if (!event) return false;
    HRUNC_TRY(handle(*event));
    if (init_gone_ && mode_ == Mode::kAsk) return init_is_gone();
    return true;
}

// Every task is parked under ptrace; the parked state goes over to the freezer, or to a group stop.
Result<void> Parking::leave_parked() {
    for (bool more = true; more;) {
        HRUNC_ASSIGN(more, poll_once()); // what died in its stop
    }
    for (auto task = tasks_.begin(); task != tasks_.end();) {
        // In the frozen cgroup it goes straight from this stop into the freezer, inside the kernel. Without one,
        // SIGSTOP takes the place of the signal in whose delivery it stopped, before anything else is delivered.
        HRUNC_ASSIGN_IN(bool left, Tracee(task->first).detach(freezer_ ? 0 : SIGSTOP),
                        task->second.process.described());
        if (!left && task->first == request_.init)
            return Error(ErrorCode::kPeer, task->second.process.described() + " was killed");
        left ? ++task : task = tasks_.erase(task);
    }
    if (freezer_) return freezer_->wait_until_frozen(steady_clock::now() + kSettle);
    return wait_until_stopped();
}

Result<void> Parking::wait_until_stopped() const {
    const Deadline latest = steady_clock::now() + kSettle;
    for (const auto &[pid, task] : tasks_) {
        for (Backoff backoff;; backoff.sleep()) {
            HRUNC_ASSIGN(std::optional<Process> process, read_process(pid));
            if (!process || process->state == 'T') break;
            if (steady_clock::now() >= latest)
                return Error(ErrorCode::kTimeout, task.process.described() + " does not stop");
        }
    }
    return {};
}

// Puts everything back. The order matters: nobody may run and find a request that nobody will wait for.
Result<void> Parking::undo() {
    mode_ = Mode::kWithdraw;
    Result<void> first;
    auto keep = [&first](auto result) {
        if (!result && first) first = std::move(result).error();
    };
    keep(untraced_.withdraw());
    for (auto &[pid, task] : tasks_)
        if (task.migratable && task.phase != Phase::kBorrowing) keep(task.migratable->withdraw());
    for (auto task = tasks_.begin(); task != tasks_.end();) {
        auto here = task++;
        std::optional<Event> stop = here->second.stop;
        if (stop && stop->kind != Event::Kind::kGroupStop) keep(handle_leaving(here->second, *stop));
    }
    // A container that was found frozen does not run for nothing.
    const bool thaw = freezer_ && (thawed_ || !was_frozen_);
    if (thaw) keep(freezer_->thaw(steady_clock::now() + kSettle));
    if (asked_any_) serve_until(steady_clock::now() + kWithdrawGrace, keep);
    mode_ = Mode::kLeave;
    for (auto &[pid, task] : tasks_) keep(Tracee(pid).interrupt());
    serve_until(steady_clock::now() + kLeaveTime, keep);
    if (thaw && was_frozen_) keep(freezer_->freeze(steady_clock::now() + kSettle));
    if (!first) return std::move(first).error().in("undoing it");
    return {};
}

template <typename Keep> void Parking::serve_until(Deadline until, Keep &keep) {
    Backoff backoff;
    while (!tasks_.empty() && steady_clock::now() < until) {
        auto happened = poll_once();
        keep(happened);
        happened.ok() && *happened ? backoff.restart() : backoff.sleep();
    }
}

} // namespace hrunc::shim
