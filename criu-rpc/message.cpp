#include "criu-rpc/message.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstring>

namespace hrunc::criu_rpc {

namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kMaxDescriptors);

ssize_t again(auto &&call) {
    ssize_t result;
    do result = call();
    while (result < 0 && errno == EINTR);
    return result;
}

std::vector<Fd> descriptors_of(msghdr &header) {
    std::vector<Fd> descriptors;
    for (cmsghdr *item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number;
            std::memcpy(&number, CMSG_DATA(item) + i * sizeof number, sizeof number);
            descriptors.emplace_back(number);
        }
    }
    return descriptors;
}

Result<void> ask_for_room(const Fd &socket) {
    int size = static_cast<int>(kMaxMessage);
    // Without the privilege for more the system's own limit holds, as it does between runc and criu alone.
    if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0 &&
        setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0)
        return Error::system("set the send buffer of a socket");
    return {};
}

template <typename Message> Result<Message> parse(std::string_view bytes, std::string_view what) {
    Message message;
    if (bytes.size() > kMaxMessage)
        return Error(ErrorCode::kInvalid, std::string(what) + " of " + std::to_string(bytes.size()) +
                                              " bytes: the limit is " + std::to_string(kMaxMessage));
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return Error(ErrorCode::kInvalid, std::string(what) + " of " + std::to_string(bytes.size()) +
                                              " bytes: not a message of CRIU's protocol");
    return message;
}

} // namespace

Result<std::optional<Datagram>> receive(const Fd &socket) {
    ssize_t size = again([&] { return recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC); });
    // Linux looks for a message, then for the end: of a peer that sends and closes in between it tells the end first.
    if (size == 0) size = again([&] { return recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT); });
    if (size < 0 && errno == ECONNRESET) return std::optional<Datagram>();
    if (size < 0) return Error::system("receive a CRIU message");
    if (static_cast<std::size_t>(size) > kMaxMessage)
        return Error(ErrorCode::kInvalid,
                     "CRIU message of " + std::to_string(size) + " bytes: the limit is " + std::to_string(kMaxMessage));

    Datagram datagram;
    datagram.bytes.resize(static_cast<std::size_t>(size));
    alignas(cmsghdr) std::array<char, kControlBytes> control{};
    iovec part{datagram.bytes.data(), datagram.bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    size = again([&] { return recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC); });
    if (size < 0 && errno == ECONNRESET) return std::optional<Datagram>();
    if (size < 0) return Error::system("receive a CRIU message");
    datagram.descriptors = descriptors_of(header);
    if ((header.msg_flags & MSG_CTRUNC) != 0)
        return Error(ErrorCode::kInvalid, "CRIU message: control data cut off; the limit is " +
                                              std::to_string(kMaxDescriptors) + " descriptors");
    // No message of the protocol is empty, so nothing at all is the end.
    if (size == 0) return std::optional<Datagram>();
    return std::optional<Datagram>(std::move(datagram));
}

Result<void> send(const Fd &socket, const Datagram &datagram) {
    if (datagram.descriptors.size() > kMaxDescriptors)
        return Error(ErrorCode::kInvalid, "CRIU message with " + std::to_string(datagram.descriptors.size()) +
                                              " descriptors: the limit is " + std::to_string(kMaxDescriptors));
    iovec part{const_cast<char *>(datagram.bytes.data()), datagram.bytes.size()};
    alignas(cmsghdr) std::array<char, kControlBytes> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (std::size_t count = datagram.descriptors.size(); count > 0) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        cmsghdr *item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int) * count);
        for (std::size_t i = 0; i < count; ++i) {
            int number = datagram.descriptors[i].get();
            std::memcpy(CMSG_DATA(item) + i * sizeof number, &number, sizeof number);
        }
    }
    if (again([&] { return sendmsg(socket.get(), &header, MSG_NOSIGNAL); }) < 0)
        return Error::system("send a CRIU message of " + std::to_string(datagram.bytes.size()) + " bytes");
    return {};
}

Result<Request> parse_request(std::string_view bytes) {
    return parse<Request>(bytes, "request");
}

Result<Response> parse_response(std::string_view bytes) {
    return parse<Response>(bytes, "response");
}

std::string to_bytes(const Request &request) {
    return request.SerializeAsString();
}

std::string to_bytes(const Response &response) {
    return response.SerializeAsString();
}

Result<std::pair<Fd, Fd>> make_socket_pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Error::system("make a socket pair");
    std::pair<Fd, Fd> pair{Fd(ends[0]), Fd(ends[1])};
    HRUNC_TRY(ask_for_room(pair.first));
    HRUNC_TRY(ask_for_room(pair.second));
    return pair;
}

} // namespace hrunc::criu_rpc
