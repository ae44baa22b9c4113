#include "shim/untraced.h"

#include <algorithm>

namespace hrunc::shim {

namespace {

constexpr std::chrono::milliseconds kNudge{2};

} // namespace

void Untraced::found(Process process, std::unique_ptr<Migratable> migratable) {
    Task task{std::move(process), std::move(migratable)};
    auto known = tasks_.find(task.process.pid);
    // Whether it is still parked, its memory says: an exec has made it another.
    if (known != tasks_.end() && known->second.asked && known->second.process.start_time == task.process.start_time) {
        Result<bool> ready = task.migratable->ready();
        task.asked = task.ready = ready.ok() && *ready;
    }
    const pid_t pid = task.process.pid;
    last_look_.insert_or_assign(pid, std::move(task));
}

void Untraced::end_of_look() {
    tasks_ = std::move(last_look_);
    last_look_.clear();
}

bool Untraced::unanswered() const {
    return std::any_of(tasks_.begin(), tasks_.end(), [](const auto &entry) { return !entry.second.ready; });
}

Result<bool> Untraced::alone() const {
    for (const auto &[pid, task] : tasks_) {
        HRUNC_ASSIGN(bool alone, task.migratable->alone());
        if (!alone) return false;
    }
    return true;
}

// A vfork child runs in its parent's memory and on its parent's stack; both go on when it has executed or exited.
bool Untraced::borrows_memory(const Task &task) const {
    auto parent = tasks_.find(task.process.parent);
    return parent != tasks_.end() && share_memory(task.process.pid, task.process.parent);
}

// False: it is gone.
Result<bool> Untraced::serve(Task &task, bool nudge) {
    HRUNC_ASSIGN(task.ready, task.migratable->ready());
    if (task.asked && (task.ready || !nudge)) return true;
    // Again and again: a thread that comes late out of the last park takes the request for that one.
    HRUNC_ASSIGN(task.asked, task.migratable->ask());
    if (!task.asked || borrows_memory(task)) return task.asked;
    return task.migratable->nudge();
}

Result<bool> Untraced::serve(pid_t init) {
    const auto now = std::chrono::steady_clock::now();
    const bool nudge = now >= next_nudge_;
    if (nudge) next_nudge_ = now + kNudge;
    bool progress = false;
    for (auto at = tasks_.begin(); at != tasks_.end();) {
        Task &task = at->second;
        if (task.ready) {
            ++at;
            continue;
        }
        HRUNC_ASSIGN(bool there, serve(task, nudge));
        progress = progress || task.ready;
        if (!there && at->first == init) return Error(ErrorCode::kPeer, task.process.described() + " is gone");
        there ? ++at : at = tasks_.erase(at);
    }
    return progress;
}

Result<void> Untraced::withdraw() {
    Result<void> first;
    for (auto &[pid, task] : tasks_) {
        Result<bool> done = task.migratable->withdraw();
        if (!done && first) first = std::move(done).error();
        task.asked = task.ready = false;
    }
    return first;
}

} // namespace hrunc::shim
