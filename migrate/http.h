// HTTP/1.1 as far as Docker's Engine API needs it, over any pair of descriptors (RFC 9112): one request at a time,
// replies with Content-Length or chunked. What the peer says is not trusted: every part of a reply has a limit.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hrunc::migrate {

inline constexpr std::size_t kMaxHttpLine = 16 << 10;             // bytes of a status or header line
inline constexpr std::size_t kMaxHttpHeaders = 100;               // lines
inline constexpr std::size_t kMaxHttpBody = std::size_t{8} << 20; // bytes

struct HttpReply {
    int status = 0;
    std::string body;
};

// `path` begins with "/" and is encoded already. An empty body is none; another one is JSON.
std::string http_request(std::string_view method, std::string_view path, std::string_view body);

// Reads some bytes, at most `size`; 0 is the end of the stream.
using HttpSource = std::function<Result<std::size_t>(char *into, std::size_t size)>;
Result<HttpReply> read_http_reply(const HttpSource &source);

// Everything but letters, digits and -._~ as %XX: for one part of a path or a query.
std::string percent_encoded(std::string_view text);

} // namespace hrunc::migrate
