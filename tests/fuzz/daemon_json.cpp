// Docker's daemon.json. Registered once, a second time changes nothing; and the way back gives the first text.
#include <cstdlib>
#include <string_view>

#include "oci/json.h"
#include "shim/daemon_json.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc::shim;
    std::string_view text(reinterpret_cast<const char *>(data), size);
    const Registration registration{"/usr/local/bin/hrunc"};
    hrunc::Result<DaemonJsonEdit> there = register_runtime(text, registration);
    if (!there) return 0;
    if (there->changes.empty() != (there->text == text)) std::abort();
    hrunc::Result<hrunc::oci::Json> json = hrunc::oci::parse_json(there->text);
    if (!json || (*json)["runtimes"]["hrunc"]["path"] != registration.path) std::abort();
    hrunc::Result<DaemonJsonEdit> again = register_runtime(there->text, registration);
    if (!again || !again->changes.empty()) std::abort();
    hrunc::Result<DaemonJsonEdit> back = unregister_runtime(there->text, text, registration);
    if (!back) {
        if ((*json)["default-runtime"] != "hrunc") std::abort();
    } else if (back->text != text) {
        std::abort();
    }
    return 0;
}
