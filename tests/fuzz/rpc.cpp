// Messages as a client or criu could send them: parsed, edited as the relay does, and written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "criu-rpc/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using namespace hrunc::criu_rpc;
    std::string_view bytes(reinterpret_cast<const char *>(data), size);
    if (auto request = parse_request(bytes); request.ok()) {
        request->mutable_opts()->set_images_dir_fd(3);
        request->mutable_opts()->set_tcp_established(true);
        // What is written can be read, and writing it once more changes nothing.
        std::string written = to_bytes(*request);
        auto again = parse_request(written);
        if (!again.ok() || to_bytes(*again) != written) std::abort();
    }
    if (auto response = parse_response(bytes); response.ok()) {
        std::string written = to_bytes(*response);
        auto again = parse_response(written);
        if (!again.ok() || to_bytes(*again) != written) std::abort();
    }
    return 0;
}
