// A reply of Docker's API: any bytes, in parts of any size, give a body within its limit, or an error.
#include "migrate/http.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc::migrate;
    std::size_t part = size > 0 ? 1 + data[0] % 64 : 1, at = 0;
    hrunc::Result<HttpReply> reply = read_http_reply([&](char *into, std::size_t room) -> hrunc::Result<std::size_t> {
        std::size_t count = std::min({part, room, size - at});
        std::memcpy(into, data + at, count);
        at += count;
        return count;
    });
    if (reply && reply->body.size() > size) std::abort();
    return 0;
}
