// hrunc.json: what hrunc notes beside the images when it makes a checkpoint, for people and for error messages. It
// travels with the images, so it is untrusted; nothing is decided on its word alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::recode {

inline constexpr const char *kManifestName = "hrunc.json";
inline constexpr std::size_t kMaxManifest = std::size_t{4} << 20; // bytes
inline constexpr unsigned kManifestVersion = 1;

struct ManifestProcess {
    std::uint32_t pid = 0; // in the container
    std::string comm, executable;
    std::string abi;      // "popcorn", "portable" or "none"
    std::string build_id; // hexadecimal; may be empty
};

struct Manifest {
    std::string hrunc;                      // version that wrote it
    std::string isa, target;                // arch::name; `target` empty: any
    std::string engine, criu, runc, kernel; // versions on the source host; may be empty
    std::vector<ManifestProcess> processes;
};

std::string to_json(const Manifest &manifest);
// kInvalid for anything but an object of version 1 whose known members have their types; unknown members are skipped.
Result<Manifest> manifest_from_json(std::string_view text);

// Nothing where the directory has none.
Result<std::optional<Manifest>> read_manifest(const Fd &directory);
// Replaces one that is there; mode 0600.
Result<void> write_manifest(const Fd &directory, const Manifest &manifest);

} // namespace hrunc::recode
