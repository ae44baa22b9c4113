#include <filesystem>
#include <system_error>

#include "oci/document.h"
#include "shim/config.h"
#include "shim/log.h"
#include "shim/operation.h"

namespace hrunc::shim {

int restore_main(const Invocation &invocation) {
    std::error_code error;
    std::string directory = std::filesystem::absolute(invocation.bundle.empty() ? "." : invocation.bundle, error);
    Result<oci::Bundle> bundle = oci::read_bundle(directory);
    // What is wrong with the bundle is runc's to say.
    if (error || !bundle) return fatal(exec_runc(invocation));
    Result<Config> config = load_config(config_file(), bundle->annotations);
    if (!config) return fatal(std::move(config).error().in("restore \"" + invocation.container_id + "\""));
    Context context;
    context.config = std::move(config).value();
    context.bundle = directory;
    // stdin, stdout and stderr go through untouched: they become the container's.
    return run_operation(invocation, std::move(context), false);
}

} // namespace hrunc::shim
