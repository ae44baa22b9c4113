// What a killed criu leaves in the directory that it worked in.
#pragma once

#include <string>

#include "base/result.h"

namespace hrunc::shim {

// criu mounts the cgroup hierarchies there for a moment, at a dump as at a restore, on directories that it makes:
// .criu.cgmounts.XXXXXX and .criu.cgyard.XXXXXX. Unmounts and removes those. Whoever removes the directory without that
// removes cgroups.
//
// `work_directory`: of a criu that has ended, and of none that is still at work. Nothing to do where it is missing.
Result<void> remove_criu_mounts(const std::string &work_directory);

} // namespace hrunc::shim
