// hrunc.json in a checkpoint's directory: what the checkpoint is, for people and for `hrunc inspect`. No restore
// depends on it. Whoever reads it has to treat it as untrusted: a checkpoint comes from another host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"
#include "shim/park.h"
#include "shim/run_directory.h"

namespace hrunc::shim {

inline constexpr const char *kManifestName = "hrunc.json";
inline constexpr unsigned kManifestVersion = 1;

struct ManifestProcess {
    pid_t pid = 0; // as the container sees it
    std::string comm, executable;
    recode::Abi abi = recode::Abi::kNone;
    std::string build_id; // in hexadecimal; empty: unknown
};

struct Manifest {
    std::string hrunc, criu, runc, kernel; // versions; empty: unknown
    std::string container, engine;         // its id; "docker", "podman", "containerd", "cri-o" or ""
    arch::Isa isa = arch::host();
    std::optional<arch::Isa> target; // for which the popcorn processes laid out their state; nothing: there are none
    std::vector<ManifestProcess> processes;
};

// While the tasks are parked. Reads the migratable ones' executables for their build ids: those have been read by who
// parked them, while others may lie on a file system that one of the parked tasks serves.
Manifest make_manifest(const RunDirectory &run, const Context &context, const std::vector<ParkedTask> &tasks);
std::string to_text(const Manifest &manifest);
// IMAGES/hrunc.json, mode 0600.
Result<void> write_manifest(const std::string &images, const Manifest &manifest);

} // namespace hrunc::shim
