#include "oci/document.h"
#include "shim/config.h"
#include "shim/log.h"
#include "shim/operation.h"

namespace hrunc::shim {

int checkpoint_main(const Invocation &invocation) {
    Result<oci::State> state = oci::read_state(invocation.root, invocation.container_id);
    // What is wrong with the container is runc's to say.
    if (!state) return fatal(exec_runc(invocation));
    Result<Config> config = load_config(config_file(), state->annotations);
    if (!config) return fatal(std::move(config).error().in("checkpoint \"" + invocation.container_id + "\""));
    Context context;
    context.config = std::move(config).value();
    context.bundle = state->bundle;
    return run_operation(invocation, std::move(context), true);
}

} // namespace hrunc::shim
