// Text that criu and the kernel wrote: a log of criu, /proc/PID/cgroup, /proc/self/mountinfo.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "shim/cgroups.h"
#include "shim/criu_log.h"
#include "shim/operation_hooks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using namespace hrunc::shim;
    std::string_view text(reinterpret_cast<const char *>(data), size);
    std::string error = first_error(text);
    if (error.find('\n') != std::string::npos) std::abort(); // it is to be one line
    for (const Membership &membership : parse_memberships(text))
        if (!membership.path.starts_with('/')) std::abort();
    static_cast<void>(directory_of({"freezer", "/container"}, text));
    static_cast<void>(directory_of({"", "/container"}, text));
    static_cast<void>(is_supported_criu(text));
    return 0;
}
