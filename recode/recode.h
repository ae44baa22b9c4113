// Recoding: a CRIU image directory in, an image directory for another host out. No ptrace, no Docker, no network.
//
// The source directory is untrusted (it may come from another machine) and is never modified. The output directory is
// made as a staging directory beside it and appears under its name only when complete. It holds what changed; memory
// pages that did not change stay in the source, which the output's `parent` link names (CRIU's incremental images), so
// the output is of use only as long as the source is there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arch/isa.h"
#include "base/fd.h"
#include "base/result.h"
#include "recode/host.h"

namespace hrunc::recode {

// The application binary interface by which a process can be moved.
enum class Abi : std::uint8_t { kNone, kPopcorn, kPortable };

struct Request {
    std::string images; // the source directory
    std::string output; // must not exist; its parent must; made with mode 0700, files 0600
    Host target;        // the host that the images are to run on
    std::string root;   // the container's root file system on the target, beneath which executables are found
    std::map<std::string, std::string>
        mounts; // bind mounts: path in the container -> path here, for executables in volumes
    // The OCI profile (linux.seccomp of the new container's config.json, as JSON text). Empty: the container has none.
    // A process with a filter where the container has no profile is refused, and so is the reverse.
    std::string seccomp_profile;
    // The new container forbids new privileges (process.noNewPrivileges). A process that moves to the other ISA without
    // that setting is refused: CRIU 3.17 forgets it.
    bool no_new_privileges = false;
    // New cgroup path for each old one that the images name; empty leaves cgroup.img as it is. The container's old id,
    // as the path's last component names it, is replaced wherever it stands.
    std::string cgroup_path; // of the new container, as /proc/PID/cgroup would name it; empty: unchanged
};

struct Report {
    arch::Isa from = arch::host(), to = arch::host();
    std::uint32_t processes = 0, threads = 0;
    std::uint64_t bytes_written = 0; // to the output directory
    std::uint64_t pages_written = 0, pages_in_parent = 0;
    std::vector<std::string> changed; // names of the image files that differ from the source
    std::vector<std::string> notes;   // what a person should know, e.g. a masked path that was dropped
};

// Recodes a whole checkpoint. Refusals (ErrorCode::kRefused) name the process and the reason; broken images
// (ErrorCode::kInvalid) name the file and the offset. On any error nothing is left at `output`.
Result<Report> recode(const Request &request);

// What a restore has to do with a checkpoint.
struct Needs {
    arch::Isa isa = arch::host(); // of the images
    bool recode = false;          // another ISA than the target's, or state that only recode can set going
};
// Reads only inventory, pstree and the core images' heads.
Result<Needs> examine(const std::string &images, const Host &target);

} // namespace hrunc::recode
