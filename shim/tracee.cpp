#include "shim/tracee.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <string>

namespace hrunc::shim {

namespace {

// <linux/wait.h>; <sys/wait.h> has it as __WNOTHREAD.
constexpr int kWaitOptions = WNOHANG | __WALL | __WNOTHREAD;

bool stops_the_group(int signal) {
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

Event::Kind kind_of(int event, int signal) {
    switch (event) {
    case 0:
        return Event::Kind::kSignal;
    case PTRACE_EVENT_STOP:
        return stops_the_group(signal) ? Event::Kind::kGroupStop : Event::Kind::kStop;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_CLONE:
        return Event::Kind::kFork;
    case PTRACE_EVENT_VFORK:
        return Event::Kind::kVfork;
    case PTRACE_EVENT_VFORK_DONE:
        return Event::Kind::kVforkDone;
    case PTRACE_EVENT_EXEC:
        return Event::Kind::kExec;
    default:
        return Event::Kind::kOther;
    }
}

} // namespace

Result<bool> Tracee::seize(pid_t pid) {
    // No PTRACE_O_EXITKILL: the container outlives a tracer that dies.
    constexpr long kOptions =
        PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE;
    return Tracee(pid).request(PTRACE_SEIZE, kOptions, "attach");
}

Result<std::optional<Event>> Tracee::poll() {
    int status = 0;
    pid_t pid = waitpid(-1, &status, kWaitOptions);
    if (pid == 0 || (pid < 0 && (errno == ECHILD || errno == EINTR))) return std::optional<Event>();
    if (pid < 0) return Error::system("wait for traced processes");
    Event event;
    event.pid = pid;
    if (!WIFSTOPPED(status)) {
        event.kind = Event::Kind::kGone;
        return std::optional<Event>(event);
    }
    event.signal = WSTOPSIG(status);
    event.kind = kind_of(status >> 16, event.signal);
    if (event.kind != Event::Kind::kSignal) event.signal = 0;
    if (event.kind == Event::Kind::kFork || event.kind == Event::Kind::kVfork) {
        unsigned long message = 0;
        if (ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &message) == 0) event.child = static_cast<pid_t>(message);
    }
    return std::optional<Event>(event);
}

Result<bool> Tracee::request(int operation, long data, const char *what) const {
    if (ptrace(static_cast<__ptrace_request>(operation), pid_, nullptr, data) == 0) return true;
    if (errno == ESRCH) return false;
    return Error::system(std::string(what) + " process " + std::to_string(pid_));
}

Result<bool> Tracee::interrupt() const {
    return request(PTRACE_INTERRUPT, 0, "interrupt");
}

Result<bool> Tracee::resume(int signal) const {
    return request(PTRACE_CONT, signal, "continue");
}

Result<bool> Tracee::stay_stopped() const {
    return request(PTRACE_LISTEN, 0, "listen to");
}

Result<bool> Tracee::detach(int signal) const {
    return request(PTRACE_DETACH, signal, "detach");
}

std::optional<siginfo_t> Tracee::signal_info() const {
    siginfo_t info{};
    if (ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &info) != 0) return std::nullopt;
    return info;
}

} // namespace hrunc::shim
