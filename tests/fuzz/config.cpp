// hrunc.json and the annotations, in one input: what stands before the first NUL is the file, then come annotation
// names and values. A configuration that is accepted holds only absolute directories.
#include <cstdlib>
#include <string_view>

#include "shim/config.h"

namespace {

std::string_view take_text(std::string_view &rest) {
    std::string_view text = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(text.size() == rest.size() ? rest.size() : text.size() + 1);
    return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc::shim;
    std::string_view rest(reinterpret_cast<const char *>(data), size);
    std::string_view text = take_text(rest);
    std::map<std::string, std::string> annotations;
    while (!rest.empty()) {
        std::string_view name = take_text(rest);
        annotations["org.hrunc." + std::string(name)] = take_text(rest);
    }
    hrunc::Result<Config> config = config_from("hrunc.json", text, annotations);
    if (!config) return 0;
    if (!config->state_directory.starts_with('/') || !config->log_directory.starts_with('/')) std::abort();
    if (config->notify_timeout.count() < 1 || config->notify_timeout > std::chrono::hours(1)) std::abort();
    return 0;
}
