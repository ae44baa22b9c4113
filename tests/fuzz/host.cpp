// A host's description; what is accepted comes back the same.
#include <cstdlib>

#include "recode/host.h"

using namespace hrunc;
using namespace hrunc::recode;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char *>(data), size);
    Result<Host> host = host_from_json(text);
    if (!host) return 0;
    Result<Host> again = host_from_json(to_json(*host));
    if (!again || !(*again == *host)) std::abort();
    kernel_has(*host, host->kernel_release);
    return 0;
}
