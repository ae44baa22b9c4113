#include "criu-rpc/relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace hrunc::criu_rpc {

//                 request, let through                    notification
//   ┌──► kRequest ───────────────────────► kResponse ◄──────────────────► kNotification
//   │     │    │                            │  │  │         its answer       │     │
//   └─────│────│────────────────────────────┘  │  │                          │     │
//         │    │          response             │  │                          │     │
//         │    │ refused, or the client gone   │  │ the client gone          │     │
//         │    └──────────────► kEnding ◄──────┘  │                          │     │
//         │                      │   ▲            │                          │     │
//         │                      │   └────────────│──────────────────────────┘     │
//         │ criu ended           ▼                │                                │
//         └──────────────────► kEnded ◄───────────┴────────────────────────────────┘
//
// Each side is read only when it is its turn, so a message out of turn waits in its socket, as it would without the
// relay. In kEnding criu's reads find the end of its socket, and what it still says is heard but not passed on.
enum class Relay::State {
    kRequest,      // the client is to speak, or to hang up
    kResponse,     // criu is to speak
    kNotification, // the client is to answer criu's notification
    kEnding,       // criu is to end
    kEnded,
};

namespace {

constexpr int kHangUp = POLLHUP | POLLRDHUP | POLLERR;

bool peer_is_gone(const Error &error) {
    return error.system_errno() == EPIPE || error.system_errno() == ECONNRESET;
}

} // namespace

Relay::Relay(Ends ends, Hooks &hooks) : ends_(std::move(ends)), hooks_(hooks), state_(State::kRequest) {}

Result<void> Relay::run() {
    Result<void> result;
    while (result && state_ != State::kEnded) result = step();
    if (!result) {
        // criu may be at work still; what the hooks undo must not be undone under its hands.
        shutdown(ends_.server.get(), SHUT_RDWR);
        pollfd ended{ends_.process.get(), POLLIN, 0};
        while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
        }
    }
    finish_operation();
    ends_.server.reset();
    ends_.client.reset();
    images_.reset();
    work_.reset();
    status_.reset();
    pidfd_store_.reset();
    return result;
}

Result<void> Relay::step() {
    bool client_speaks = state_ == State::kRequest || state_ == State::kNotification;
    bool client_counts = state_ != State::kEnding;
    bool server_speaks = state_ == State::kResponse || state_ == State::kEnding;
    std::array<pollfd, 3> waits{{
        {client_counts ? ends_.client.get() : -1, static_cast<short>(POLLRDHUP | (client_speaks ? POLLIN : 0)), 0},
        {ends_.server.get(), static_cast<short>(POLLRDHUP | (server_speaks ? POLLIN : 0)), 0},
        {ends_.process.get(), POLLIN, 0},
    }};
    if (poll(waits.data(), waits.size(), -1) < 0) {
        if (errno == EINTR) return {};
        return Error::system("wait for a CRIU message");
    }
    // What criu said before it ended comes before its end, and its end before what the client says to it.
    if ((waits[1].revents & POLLIN) != 0) return from_server();
    if ((waits[1].revents & kHangUp) != 0 || (waits[2].revents & POLLIN) != 0) {
        state_ = State::kEnded;
        return {};
    }
    if ((waits[0].revents & POLLIN) != 0) return from_client();
    if ((waits[0].revents & kHangUp) != 0) return end_the_server();
    return {};
}

Result<void> Relay::from_server() {
    HRUNC_ASSIGN(std::optional<Datagram> datagram, receive(ends_.server));
    if (!datagram) {
        state_ = State::kEnded;
        return {};
    }
    HRUNC_ASSIGN(Response response, parse_response(datagram->bytes));
    bool notification = response.type() == kNotify && response.success();
    // criu has opened it by now, and whoever waits at its other end waits for all copies to be closed.
    status_.reset();
    if (!notification) answer(response);
    if (state_ == State::kEnding) return {};
    if (notification && operation_ != 0) hooks_.notification(response.notify());

    Result<void> sent = send(ends_.client, *datagram);
    if (!sent && peer_is_gone(sent.error())) return end_the_server();
    if (sent) state_ = notification ? State::kNotification : State::kRequest;
    return sent;
}

void Relay::answer(const Response &response) {
    if (response.has_version()) hooks_.version(response.version());
    int operation = std::exchange(operation_, 0);
    if (operation == kDump) hooks_.after_dump(response);
    if (operation == kRestore) hooks_.after_restore(response);
}

Result<void> Relay::from_client() {
    HRUNC_ASSIGN(std::optional<Datagram> datagram, receive(ends_.client));
    if (!datagram) return end_the_server();
    if (state_ == State::kRequest) {
        HRUNC_ASSIGN(Request request, parse_request(datagram->bytes));
        if (request.has_opts()) {
            if (Result<void> edited = edit(request); !edited) return refuse(request, edited.error());
            datagram->bytes = to_bytes(request);
            // The hooks may have taken long; a client that has gone meanwhile no longer wants the request done.
            if (client_is_gone()) return end_the_server();
        }
    }
    Result<void> sent = send(ends_.server, *datagram);
    if (sent) state_ = State::kResponse;
    // criu's last words may be waiting still; its end is found when they have been read.
    if (!sent && peer_is_gone(sent.error())) {
        state_ = State::kEnding;
        return {};
    }
    return sent;
}

Result<void> Relay::edit(Request &request) {
    HRUNC_TRY(take_descriptors(*request.mutable_opts()));
    if (request.type() == kDump) HRUNC_TRY(hooks_.before_dump(*request.mutable_opts()));
    if (request.type() == kRestore)
        HRUNC_TRY(hooks_.before_restore(*request.mutable_opts(), [this] { return client_is_gone(); }));
    if (request.type() == kDump || request.type() == kRestore) operation_ = request.type();
    return {};
}

Result<void> Relay::refuse(const Request &request, const Error &reason) {
    Response response;
    response.set_type(request.type());
    response.set_success(false);
    response.set_cr_errno(reason.system_errno() != 0 ? reason.system_errno() : EINVAL);
    response.set_cr_errmsg(reason.text());
    if (request.type() == kRestore) response.mutable_restore()->set_pid(-1);
    // A client that is gone needs no answer; either way criu is to end.
    if (Result<void> sent = send(ends_.client, Datagram{to_bytes(response), {}}); !sent && !peer_is_gone(sent.error()))
        return sent;
    return end_the_server();
}

Result<void> Relay::end_the_server() {
    shutdown(ends_.server.get(), SHUT_WR);
    state_ = State::kEnding;
    return {};
}

bool Relay::client_is_gone() const {
    pollfd hang_up{ends_.client.get(), POLLRDHUP, 0};
    return poll(&hang_up, 1, 0) > 0 && (hang_up.revents & kHangUp) != 0;
}

void Relay::finish_operation() {
    if (std::exchange(operation_, 0) != 0) hooks_.ended_without_answer();
}

Result<Fd> Relay::take_from_client(int number) const {
    ucred client{};
    socklen_t size = sizeof client;
    if (getsockopt(ends_.client.get(), SOL_SOCKET, SO_PEERCRED, &client, &size) != 0)
        return Error::system("find CRIU's client");
    Fd process(static_cast<int>(syscall(SYS_pidfd_open, client.pid, 0)));
    if (!process) return Error::system("open CRIU's client, process " + std::to_string(client.pid));
    Fd copy(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), number, 0)));
    if (!copy)
        return Error::system("take descriptor " + std::to_string(number) + " of process " + std::to_string(client.pid));
    return copy;
}

Result<void> Relay::take_descriptors(Options &options) {
    if (options.images_dir_fd() >= 0) {
        HRUNC_ASSIGN(images_, take_from_client(options.images_dir_fd()));
        options.set_images_dir_fd(images_.get());
    }
    if (options.has_work_dir_fd()) {
        HRUNC_ASSIGN(work_, take_from_client(options.work_dir_fd()));
        options.set_work_dir_fd(work_.get());
    }
    if (options.has_status_fd()) {
        HRUNC_ASSIGN(status_, take_from_client(options.status_fd()));
        options.set_status_fd(status_.get());
    }
    if (options.has_pidfd_store_sk()) {
        HRUNC_ASSIGN(pidfd_store_, take_from_client(options.pidfd_store_sk()));
        options.set_pidfd_store_sk(pidfd_store_.get());
    }
    return {};
}

} // namespace hrunc::criu_rpc
