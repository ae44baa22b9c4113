// A checkpoint or restore as its caller sees it: runc runs with hrunc as its criu, and its failure is told in one line.
#pragma once

#include "shim/invocation.h"
#include "shim/run_directory.h"

namespace hrunc::shim {

// Runs runc for `context`, whose fields that `invocation` and the configuration give are filled in here. With
// `capture` runc's stdout and stderr come after the reason of a failure, so that the reason is the first line; without
// it they are hrunc's own, for they become the container's. Gives runc's exit code.
int run_operation(const Invocation &invocation, Context context, bool capture);

} // namespace hrunc::shim
