#include "shim/listeners.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace hrunc::shim {

namespace {

using Filter = std::vector<sock_filter>; // empty: none

constexpr std::uint32_t kOurs = 0x6872756e; // "hrun"
constexpr std::uint32_t kSyn = 0x02, kAck = 0x10;
// A filter of a TCP socket sees segments from their TCP header on; its byte 13 holds the flags (RFC 9293, 3.1).
constexpr std::array<sock_filter, 5> kDropSyn{{
    BPF_STMT(BPF_LD | BPF_IMM, kOurs),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};
constexpr sock_filter kTakeAll = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
constexpr sock_filter kClear = BPF_STMT(BPF_LD | BPF_IMM, 0); // a filter begins with the accumulator 0

// SOCCR_MARK of CRIU's soccr/soccr.h: what bears it passes criu's network lock.
constexpr int kPassesTheLock = 0xc114;
constexpr std::size_t kMaxTable = std::size_t{64} << 20; // of /proc/PID/net/tcp

bool same(const sock_filter &a, const sock_filter &b) {
    return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
}

bool is_ours(const Filter &filter) {
    return filter.size() > kDropSyn.size() && std::equal(kDropSyn.begin(), kDropSyn.end(), filter.begin(), same);
}

Filter with_ours(const Filter &own) {
    Filter filter(kDropSyn.begin(), kDropSyn.end());
    filter.push_back(own.empty() ? kTakeAll : kClear);
    filter.insert(filter.end(), own.begin(), own.end());
    return filter;
}

// What with_ours() was given.
Filter without_ours(const Filter &filter) {
    return {filter.begin() + kDropSyn.size() + 1, filter.end()};
}

// Nothing where it is an eBPF program, which cannot be read.
Result<std::optional<Filter>> filter_of(const Fd &socket) {
    sock_filter none{};
    socklen_t length = 0; // in instructions, both ways; 0 asks for the length
    if (getsockopt(socket.get(), SOL_SOCKET, SO_GET_FILTER, &none, &length) != 0) {
        if (errno == EACCES) return std::optional<Filter>();
        return Error::system("read a socket's filter");
    }
    Filter filter(length);
    if (length != 0 && getsockopt(socket.get(), SOL_SOCKET, SO_GET_FILTER, filter.data(), &length) != 0)
        return Error::system("read a socket's filter");
    filter.resize(length);
    return std::optional<Filter>(std::move(filter));
}

Result<void> set_filter(const Fd &socket, Filter filter) {
    int none = 0;
    sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    int done = filter.empty() ? setsockopt(socket.get(), SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none)
                              : setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    if (done != 0) return Error::system("set a socket's filter");
    return {};
}

// Whether the filter is there now.
Result<bool> drop_syns(const Fd &socket) {
    HRUNC_ASSIGN(std::optional<Filter> filter, filter_of(socket));
    if (!filter || filter->size() + kDropSyn.size() + 1 > BPF_MAXINSNS) return false;
    if (is_ours(*filter)) return true;
    Result<void> set = set_filter(socket, with_ours(*filter));
    if (!set && set.error().system_errno() == EPERM) return false; // SO_LOCK_FILTER
    if (!set) return std::move(set).error();
    return true;
}

Result<void> take_syns(const Fd &socket) {
    HRUNC_ASSIGN(std::optional<Filter> filter, filter_of(socket));
    if (!filter || !is_ours(*filter)) return {};
    return set_filter(socket, without_ours(*filter));
}

int option_of(const Fd &socket, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(socket.get(), SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// The inode of a socket, of "socket:[INODE]"; 0 for what is none.
ino_t socket_inode(const std::string &link) {
    constexpr std::string_view kBefore = "socket:[";
    std::array<char, 64> target{};
    ssize_t length = readlink(link.c_str(), target.data(), target.size());
    std::string_view text(target.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    ino_t inode = 0;
    if (text.starts_with(kBefore)) std::from_chars(text.data() + kBefore.size(), text.data() + text.size(), inode);
    return inode;
}

// Calls `visit` with a copy of each TCP socket of the process that is not in `seen`, and adds all that it sees.
template <typename Visit> Result<void> each_socket_of(pid_t pid, std::set<ino_t> &seen, Visit visit) {
    Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    std::string directory = "/proc/" + std::to_string(pid) + "/fd";
    std::unique_ptr<DIR, int (*)(DIR *)> entries(process ? opendir(directory.c_str()) : nullptr, closedir);
    if (!entries) return {}; // gone
    while (const dirent *entry = readdir(entries.get())) {
        std::string_view name(entry->d_name);
        int number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        ino_t inode = number < 0 ? 0 : socket_inode(directory + "/" + entry->d_name);
        if (inode == 0 || !seen.insert(inode).second) continue;
        Fd copy(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), number, 0)));
        if (!copy && (errno == EBADF || errno == ESRCH)) continue; // closed, or gone, since
        if (!copy)
            return Error::system("take descriptor " + std::to_string(number) + " of process " + std::to_string(pid));
        if (option_of(copy, SO_PROTOCOL) == IPPROTO_TCP) HRUNC_TRY(visit(std::move(copy)));
    }
    return {};
}

template <typename Visit> Result<void> each_socket(const std::vector<pid_t> &pids, std::set<ino_t> &seen, Visit visit) {
    for (pid_t pid : pids) HRUNC_TRY(each_socket_of(pid, seen, visit));
    return {};
}

// Whether the state (the fourth field of a line, 03: SYN_RECV of net/tcp_states.h) of any line says so.
bool has_handshake(std::string_view table) {
    while (!table.empty()) {
        std::string_view line = table.substr(0, table.find('\n'));
        table.remove_prefix(std::min(line.size() + 1, table.size()));
        for (int field = 0; field < 3; ++field) {
            line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
            line.remove_prefix(std::min(line.find(' '), line.size()));
        }
        if (line.starts_with(" 03 ")) return true;
    }
    return false;
}

bool handshakes_near(pid_t pid) {
    for (const char *name : {"tcp", "tcp6"}) {
        Result<std::string> table = read_file("/proc/" + std::to_string(pid) + "/net/" + name, kMaxTable);
        if (table && has_handshake(*table)) return true;
    }
    return false;
}

} // namespace

Result<Listeners> Listeners::hold(const std::vector<pid_t> &pids) {
    Listeners listeners;
    Result<void> held = each_socket(pids, listeners.looked_at_, [&](Fd socket) -> Result<void> {
        if (option_of(socket, SO_ACCEPTCONN) != 1) return {};
        HRUNC_ASSIGN(bool dropped, drop_syns(socket));
        if (dropped) listeners.sockets_.push_back(std::move(socket));
        return {};
    });
    if (held) return listeners;
    Result<void> undone = listeners.set_free();
    return std::move(held).error().in(undone ? "hold new connections" : undone.error().text());
}

// A listening socket tells the length of its accept queue as tcpi_unacked (tcp_get_info() of the kernel's tcp.c).
std::size_t Listeners::waiting() const {
    std::size_t count = 0;
    for (const Fd &socket : sockets_) {
        tcp_info info{};
        socklen_t size = sizeof info;
        if (getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0) count += info.tcpi_unacked;
    }
    return count;
}

Result<void> Listeners::settle(pid_t init, Deadline deadline, const std::function<Result<std::vector<pid_t>>()> &list) {
    if (sockets_.empty()) return {};
    // In this order: what ends as a handshake waits in a queue then.
    for (auto pause = std::chrono::milliseconds(1); handshakes_near(init) || waiting() != 0; pause *= 2) {
        if (std::chrono::steady_clock::now() >= deadline) break;
        std::this_thread::sleep_for(std::min(pause, std::chrono::milliseconds(20)));
    }
    HRUNC_ASSIGN(std::vector<pid_t> pids, list());
    return each_socket(pids, looked_at_, take_syns);
}

Result<void> Listeners::set_free() {
    Result<void> first;
    for (const Fd &socket : sockets_)
        if (Result<void> taken = take_syns(socket); !taken && first) first = std::move(taken);
    return first;
}

void Listeners::reset_waiting() {
    const linger at_once{1, 0}; // close(2) resets
    for (const Fd &socket : sockets_) {
        fcntl(socket.get(), F_SETFL, O_NONBLOCK);
        while (Fd connection{accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC)}) {
            setsockopt(connection.get(), SOL_SOCKET, SO_MARK, &kPassesTheLock, sizeof kPassesTheLock);
            setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
    }
}

Result<void> Listeners::set_free(const std::vector<pid_t> &pids) {
    std::set<ino_t> seen;
    return each_socket(pids, seen, take_syns);
}

} // namespace hrunc::shim
