// Datagrams between a client of CRIU and criu: one protobuf message each, over a SEQPACKET socket, sometimes with a
// file descriptor (SCM_RIGHTS; criu sends the master of an orphaned terminal so).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "criu-rpc/rpc.pb.h"

namespace hrunc::criu_rpc {

inline constexpr std::size_t kMaxMessage = std::size_t{1} << 20; // bytes; the kernel's default lets 208 KiB through
inline constexpr std::size_t kMaxDescriptors = 253;              // of one datagram: the kernel's SCM_MAX_FD

// criu_req_type of CRIU's images/rpc.proto; other values are passed on.
enum RequestType : int { kDump = 1, kRestore = 2, kPreDump = 4, kNotify = 6, kVersion = 10 };

struct Datagram {
    std::string bytes;
    std::vector<Fd> descriptors;
};

// The next datagram; nothing when the peer has closed its end. Waits for one if the socket is blocking. Received
// descriptors are close-on-exec. ErrorCode::kInvalid: larger than kMaxMessage, or control data that was cut off.
Result<std::optional<Datagram>> receive(const Fd &socket);
// Never raises SIGPIPE; a peer that is gone is an error with EPIPE or ECONNRESET.
Result<void> send(const Fd &socket, const Datagram &datagram);

// ErrorCode::kInvalid: no such message.
Result<Request> parse_request(std::string_view bytes);
Result<Response> parse_response(std::string_view bytes);
std::string to_bytes(const Request &request);
std::string to_bytes(const Response &response);

// Two connected ends, both close-on-exec, with room for kMaxMessage. The caller is the peer that SO_PEERCRED names at
// either end, wherever that end goes.
Result<std::pair<Fd, Fd>> make_socket_pair();

} // namespace hrunc::criu_rpc
