#include "shim/notify.h"

#include <signal.h>

#include <optional>
#include <thread>

#include "shim/migratable.h"
#include "shim/parking.h"
#include "shim/process.h"

namespace hrunc::shim {

namespace {

std::string act(const char *verb, pid_t pid) {
    return std::string(verb) + " process " + std::to_string(pid);
}

} // namespace

Result<ParkedTask> notify_process(pid_t pid, arch::Isa target, std::chrono::milliseconds timeout) {
    ParkRequest request;
    request.init = pid;
    request.target = target;
    request.timeout = timeout;
    request.refuse_unmigratable = true;
    Parking parking(request, std::nullopt, false, true);
    std::optional<Result<std::vector<ParkedTask>>> parked;
    std::thread([&] { parked = parking.run(); }).join();
    HRUNC_ASSIGN_IN(std::vector<ParkedTask> tasks, std::move(*parked), act("notify", pid));
    if (tasks.empty()) return Error(ErrorCode::kPeer, act("notify", pid) + ": it was killed");
    return std::move(tasks.front());
}

Result<void> notify_undo(pid_t pid) {
    HRUNC_ASSIGN_IN(std::optional<Process> process, read_process(pid), act("undo the notification of", pid));
    if (!process || !process->alive())
        return Error(ErrorCode::kPeer, act("undo the notification of", pid) + ": it is gone");
    bool ready = false;
    for (arch::Isa target : arch::kIsas) {
        HRUNC_ASSIGN_IN(Found found, find_migratable(*process, target), act("undo the notification of", pid));
        if (!found.migratable)
            return Error(ErrorCode::kRefused, act("undo the notification of", pid) + ": " + process->described() +
                                                  " has no migratable binary");
        HRUNC_TRY_IN(found.migratable->withdraw(), act("undo the notification of", pid));
        HRUNC_ASSIGN_IN(bool for_target, found.migratable->ready(), act("undo the notification of", pid));
        ready = ready || for_target;
    }
    if (ready && process->state == 'T' && kill(pid, SIGCONT) != 0) return Error::system(act("continue", pid));
    return {};
}

} // namespace hrunc::shim
