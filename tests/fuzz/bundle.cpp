// config.json of a bundle: any bytes give a Bundle or an error, and a Bundle's document reads back as it was.
#include <cstdlib>
#include <string_view>

#include "oci/document.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc::oci;
    hrunc::Result<Json> json = parse_json({reinterpret_cast<const char *>(data), size});
    if (!json) return 0;
    hrunc::Result<Bundle> bundle = bundle_from(*json, "/bundle");
    if (!bundle) return 0;
    hrunc::Result<Json> again = parse_json(to_text(bundle->document));
    if (!again || to_text(*again) != to_text(*json)) std::abort();
    if (!bundle->seccomp.empty() && !parse_json(bundle->seccomp)) std::abort();
    return 0;
}
