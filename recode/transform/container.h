// What belongs to the container and not to one process: seccomp filters, cgroups, mounts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "recode/host.h"
#include "recode/image_file.h"
#include "recode/images/container.pb.h"
#include "recode/images/core.pb.h"
#include "recode/transform/seccomp_profile.h"

namespace hrunc::recode {

// Checks one living process (`leader`: the core of its first thread, `others`: those of the rest) against the filters
// of seccomp.img and the container's profile, before any is replaced. What would drop, widen or misplace a filter is
// refused: a task without a filter in a container with a profile and the reverse, and filters of a program's own.
Result<void> check_seccomp(const images::Core &leader, const std::vector<const images::Core *> &others,
                           const images::Seccomp &filters, bool container_has_profile);
// Every filter becomes `program`. Only after check_seccomp() of every process.
void replace_filters(images::Seccomp &filters, const SeccompProgram &program);

// The container's cgroup is the one of the set that its first process is in; that path becomes `new_path` everywhere,
// and its last component (the container's id as the engine's cgroup driver writes it) wherever it stands alone.
// kInvalid if there is no such set.
Result<void> recode_cgroups(images::Cgroups &cgroups, std::uint32_t first_set, const std::string &new_path);

// Mounts on files that the target's kernel does not have (engines mask them), with what is mounted on those, are
// taken out of `mounts` (a mountpoints image). The result are their paths, not printable as they are.
std::vector<std::string> drop_absent_mounts(Image &mounts, const Host &target);

} // namespace hrunc::recode
