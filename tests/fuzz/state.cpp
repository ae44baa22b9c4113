// runc's state.json: any bytes give a State with a pid that is none or positive, or an error.
#include <cstdlib>
#include <string_view>

#include "oci/document.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc::oci;
    hrunc::Result<Json> json = parse_json({reinterpret_cast<const char *>(data), size});
    if (!json) return 0;
    hrunc::Result<State> state = state_from(std::move(*json));
    if (state && state->init_pid < 0) std::abort();
    return 0;
}
