#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "shim/invocation.h"
#include "shim/log.h"

namespace hrunc::shim {
namespace {

int run(int argc, char **argv) {
    std::string_view name = argc > 0 ? argv[0] : "hrunc";
    if (name.substr(name.rfind('/') + 1) == "criu") return criu_main(argc, argv);

    Invocation invocation = parse_invocation({argv, argv + argc});
    if (invocation.verb == "checkpoint") return checkpoint_main(invocation);
    if (invocation.verb == "restore") return restore_main(invocation);
    return fatal(exec_runc(invocation));
}

} // namespace
} // namespace hrunc::shim

int main(int argc, char **argv) {
    return hrunc::shim::run(argc, argv);
}
