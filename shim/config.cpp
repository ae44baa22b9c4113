#include "shim/config.h"

#include <sys/stat.h>

#include <cstdlib>

#include "oci/json.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kConfigLimit = std::size_t{64} << 10;

} // namespace

std::string config_file() {
    const char *named = secure_getenv("HRUNC_CONFIG");
    return named != nullptr && *named == '/' ? named : kConfigFile;
}

Result<std::string> load_runc(const std::string &file) {
    struct stat status {};
    if (stat(file.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) return Config().runc;
    HRUNC_ASSIGN(oci::Json json, oci::read_json(file, kConfigLimit));
    if (!json.is_object() || !json.contains("runc") || !json["runc"].is_string()) return Config().runc;
    return json["runc"].get<std::string>();
}

} // namespace hrunc::shim
