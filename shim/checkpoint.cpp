#include "oci/document.h"
#include "shim/config.h"
#include "shim/freezer.h"
#include "shim/log.h"
#include "shim/operation.h"

namespace hrunc::shim {

namespace {

std::string freezer_of(const oci::State &state) {
    auto path = state.cgroup_paths.find("freezer");
    if (path == state.cgroup_paths.end()) path = state.cgroup_paths.find("");
    return path == state.cgroup_paths.end() ? "" : path->second;
}

bool is_paused(const std::string &freezer) {
    if (freezer.empty()) return false;
    Result<Freezer> opened = Freezer::open(freezer);
    if (!opened) return false;
    Result<bool> asked = opened->asked_to_freeze();
    return asked && *asked;
}

} // namespace

int checkpoint_main(const Invocation &invocation) {
    Result<oci::State> state = oci::read_state(invocation.root, invocation.container_id);
    // What is wrong with the container is runc's to say.
    if (!state) return fatal(exec_runc(invocation));
    Result<Config> config = load_config(config_file(), state->annotations);
    if (!config) return fatal(std::move(config).error().in("checkpoint \"" + invocation.container_id + "\""));
    Context context;
    context.config = std::move(config).value();
    context.bundle = state->bundle;
    context.freezer = freezer_of(*state);
    context.paused = is_paused(context.freezer);
    return run_operation(invocation, std::move(context), true);
}

} // namespace hrunc::shim
