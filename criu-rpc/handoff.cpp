#include "criu-rpc/handoff.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <vector>

#include "criu-rpc/message.h"

namespace hrunc::criu_rpc {

namespace {

constexpr std::size_t kMaxErrorText = 4096; // bytes of the relay's reason for not starting

Result<void> close_all_but(std::span<const int> kept) {
    DIR *directory = opendir("/proc/self/fd");
    if (directory == nullptr) return Error::system("open \"/proc/self/fd\"");
    std::vector<int> others;
    while (const dirent *entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        int number = static_cast<int>(std::strtol(entry->d_name, nullptr, 10));
        if (number > STDERR_FILENO && number != dirfd(directory) && std::ranges::find(kept, number) == kept.end())
            others.push_back(number);
    }
    closedir(directory);
    for (int number : others) close(number);
    return {};
}

Result<void> detach(std::span<const int> kept) {
    if (setsid() < 0) return Error::system("start a session");
    HRUNC_ASSIGN(Fd null, open_file("/dev/null", O_RDWR));
    for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (dup2(null.get(), number) < 0) return Error::system("redirect to \"/dev/null\"");
    return close_all_but(kept);
}

// In the relay's process: what hand_off() waits for, then the relay.
void run_relay(Ends ends, Fd starter, const std::function<void(Ends)> &relay) {
    auto prepare = [&]() -> Result<Fd> {
        HRUNC_TRY(detach(std::array{ends.client.get(), ends.process.get(), starter.get()}));
        HRUNC_ASSIGN(auto pair, make_socket_pair());
        ends.server = std::move(pair.first);
        return std::move(pair.second);
    };
    Result<Fd> criu_end = prepare();
    Datagram message{criu_end ? "criu" : criu_end.error().text().substr(0, kMaxErrorText), {}};
    bool ready = criu_end.ok();
    if (ready) message.descriptors.push_back(std::move(criu_end).value());
    Result<void> sent = send(starter, message);
    message.descriptors.clear();
    starter.reset();
    if (ready && sent) relay(std::move(ends));
}

Result<void> start_grandchild(Ends ends, Fd starter, const std::function<void(Ends)> &relay) {
    pid_t child = fork();
    if (child < 0) return Error::system("fork");
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) run_relay(std::move(ends), std::move(starter), relay);
        // exit(3) would run what belongs to the process that forked.
        _exit(grandchild < 0 ? 1 : 0);
    }
    static_cast<void>(ends.client.release()); // still needed here until it is replaced
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return Error::system("wait for a child");
    if (status != 0) return Error(ErrorCode::kSystem, "fork a second time");
    return {};
}

} // namespace

Result<void> hand_off(int socket, const std::function<void(Ends)> &relay) {
    Fd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    if (!self) return Error::system("open this process");
    HRUNC_ASSIGN(auto start, make_socket_pair());
    HRUNC_TRY_IN(start_grandchild(Ends{Fd(socket), Fd(), std::move(self)}, std::move(start.second), relay),
                 "start the relay");
    HRUNC_ASSIGN_IN(std::optional<Datagram> message, receive(start.first), "start the relay");
    if (!message) return Error(ErrorCode::kPeer, "start the relay: it ended at once");
    if (message->descriptors.size() != 1) return Error(ErrorCode::kPeer, "start the relay: " + message->bytes);
    if (dup2(message->descriptors[0].get(), socket) < 0) return Error::system("replace CRIU's socket");
    return {};
}

} // namespace hrunc::criu_rpc
