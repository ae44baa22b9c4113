// runc's descriptors.json: any bytes give at most three names, or an error.
#include <cstdlib>
#include <string_view>

#include "oci/image_store.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    hrunc::Result<std::vector<std::string>> names =
        hrunc::oci::descriptors_from({reinterpret_cast<const char *>(data), size});
    if (names && names->size() > 3) std::abort();
    return 0;
}
