// Docker's description of a container: any bytes give names and paths that lead nowhere else, and a document for its
// like, or an error.
#include "migrate/container.h"

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc;
    Result<oci::Json> json = oci::parse_json({reinterpret_cast<const char *>(data), size});
    if (!json) return 0;
    Result<migrate::Container> container = migrate::container_from(std::move(*json));
    if (!container) return 0;
    if (container->id.size() != 64 || !migrate::is_container_name(container->name)) std::abort();
    for (const migrate::Volume &volume : container->volumes)
        if (!migrate::is_plain_path(volume.source)) std::abort();
    Result<std::string> layer = migrate::layer_directory(*container, "/var/lib/docker");
    if (layer && !migrate::is_plain_path(*layer)) std::abort();
    (void)migrate::creation_from(*container).ok();
    return 0;
}
