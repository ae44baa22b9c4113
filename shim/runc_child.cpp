#include "shim/runc_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/fd.h"

namespace hrunc::shim {

namespace {

struct Pipe {
    Fd read, write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return Error::system("make a pipe");
    Pipe made{Fd(ends[0]), Fd(ends[1])};
    // Something that runc leaves behind may hold the other end: reading must not wait for it.
    if (fcntl(made.read.get(), F_SETFL, O_NONBLOCK) != 0) return Error::system("make a pipe");
    return made;
}

std::vector<char *> pointers(const std::vector<std::string> &texts) {
    std::vector<char *> list;
    for (const std::string &text : texts) list.push_back(const_cast<char *>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

// Blocks every signal that can be taken from a signalfd(2), for as long as it lives.
class HeldSignals {
  public:
    HeldSignals() {
        sigset_t held;
        sigfillset(&held);
        // What a fault of this very process raises has to end it.
        for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&held, number);
        struct sigaction plain{};
        plain.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &plain, &child_action_); // an inherited SIG_IGN would take the child's status away
        sigprocmask(SIG_SETMASK, &held, &before_);
        fd_ = Fd(signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    ~HeldSignals() {
        sigprocmask(SIG_SETMASK, &before_, nullptr);
        sigaction(SIGCHLD, &child_action_, nullptr);
    }
    HeldSignals(const HeldSignals &) = delete;
    HeldSignals &operator=(const HeldSignals &) = delete;

    const Fd &fd() const { return fd_; }
    const sigset_t &before() const { return before_; }

  private:
    sigset_t before_{};
    struct sigaction child_action_{};
    Fd fd_;
};

struct SpawnPlan {
    int output = -1, error = -1;                           // -1: this process's own
    const sigset_t *mask = nullptr;                        // null: this process's own
    const std::vector<std::string> *environment = nullptr; // null: this process's own
};

Result<pid_t> spawn(const std::string &path, const std::vector<std::string> &argv, const SpawnPlan &plan) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (plan.output >= 0) posix_spawn_file_actions_adddup2(&actions, plan.output, STDOUT_FILENO);
    if (plan.error >= 0) posix_spawn_file_actions_adddup2(&actions, plan.error, STDERR_FILENO);
    if (plan.mask != nullptr) {
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        posix_spawnattr_setsigmask(&attributes, plan.mask);
    }
    std::vector<char *> environment;
    if (plan.environment != nullptr) environment = pointers(*plan.environment);
    pid_t pid = 0;
    int number = posix_spawn(&pid, path.c_str(), &actions, &attributes, pointers(argv).data(),
                             plan.environment != nullptr ? environment.data() : environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (number != 0) return Error::system("start \"" + path + "\"", number);
    return pid;
}

// Gives whether there may be more to come.
bool take(const Fd &pipe, std::string &text) {
    std::array<char, 16384> part{};
    for (;;) {
        ssize_t got = read(pipe.get(), part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        std::size_t room = kMaxCaptured - text.size();
        text.append(part.data(), std::min(room, static_cast<std::size_t>(got)));
    }
}

void forward(const Fd &signals, pid_t child) {
    signalfd_siginfo info{};
    while (read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        bool from_a_process = info.ssi_code <= 0;
        if (info.ssi_signo != SIGCHLD && from_a_process) kill(child, static_cast<int>(info.ssi_signo));
    }
}

// Gives whether the child has ended.
bool has_ended(pid_t child, int &status) {
    while (waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
        if (!WIFSTOPPED(status)) return true;
        kill(getpid(), SIGSTOP);
        kill(child, SIGCONT);
    }
    return false;
}

} // namespace

Result<RuncEnd> run_runc(const RuncCall &call) {
    HeldSignals signals;
    if (!signals.fd()) return Error::system("hold signals");
    Pipe output, error;
    if (call.capture) {
        HRUNC_ASSIGN(output, make_pipe());
        HRUNC_ASSIGN(error, make_pipe());
    }
    HRUNC_ASSIGN(pid_t child, spawn(call.path, call.argv,
                                    {output.write.get(), error.write.get(), &signals.before(), &call.environment}));
    output.write.reset();
    error.write.reset();

    RuncEnd end;
    while (!has_ended(child, end.status)) {
        std::array<pollfd, 3> waits{
            {{signals.fd().get(), POLLIN, 0}, {output.read.get(), POLLIN, 0}, {error.read.get(), POLLIN, 0}}};
        poll(waits.data(), waits.size(), -1);
        if (waits[0].revents != 0) forward(signals.fd(), child);
        if (waits[1].revents != 0 && !take(output.read, end.output)) output.read.reset();
        if (waits[2].revents != 0 && !take(error.read, end.error)) error.read.reset();
    }
    if (output.read) take(output.read, end.output);
    if (error.read) take(error.read, end.error);
    return end;
}

Result<pid_t> start_into_file(const std::string &path, const std::vector<std::string> &argv,
                              const std::string &output) {
    HRUNC_ASSIGN(Fd file, open_file(output, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return spawn(path, argv, {file.get(), -1, nullptr, nullptr});
}

int end_like(int status) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    int number = WTERMSIG(status);
    signal(number, SIG_DFL);
    kill(getpid(), number);
    return 128 + number;
}

} // namespace hrunc::shim
