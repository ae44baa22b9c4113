#include <string>
#include <string_view>
#include <vector>

#include "shim/invocation.h"
#include "shim/log.h"
#include "shim/verbs.h"

namespace hrunc::shim {
namespace {

// Returns only if runc could not be started.
int pass_through(const Invocation &invocation) {
    Error error = exec_runc(invocation);
    (void)open_log(log_settings(invocation)).ok(); // without that log, stderr is what is left
    return fatal(error);
}

int checkpoint_or_restore(const Invocation &invocation) {
    // runc has to judge a call for help, and one without a container.
    if (invocation.verb_help || invocation.container_id.empty()) return pass_through(invocation);
    if (Result<void> opened = open_log(log_settings(invocation)); !opened) return fatal(opened.error());
    return invocation.verb == "checkpoint" ? checkpoint_main(invocation) : restore_main(invocation);
}

int run(int argc, char **argv) {
    std::string_view name = argc > 0 ? argv[0] : "hrunc";
    if (name.substr(name.rfind('/') + 1) == "criu") return criu_main(argc, argv);

    Invocation invocation = parse_invocation({argv, argv + argc});
    if (argc == 1 || invocation.help || invocation.verb == "help" || invocation.verb == "h")
        return help_main(invocation);
    if (invocation.version) return version_main(invocation);
    if (invocation.verb == "checkpoint" || invocation.verb == "restore") return checkpoint_or_restore(invocation);
    bool last_word = invocation.verb_index + 1 >= invocation.argv.size();
    if (invocation.verb == "features" && last_word) return features_main(invocation);
    if (const Verb *verb = find_own_verb(invocation.verb))
        return verb->run(
            {invocation.argv.begin() + static_cast<std::ptrdiff_t>(invocation.verb_index) + 1, invocation.argv.end()});
    return pass_through(invocation);
}

} // namespace
} // namespace hrunc::shim

int main(int argc, char **argv) {
    return hrunc::shim::run(argc, argv);
}
