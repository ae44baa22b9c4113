// What recode needs to know of the host that the images are to run on. Taken from the running kernel (this_host), or
// from a file that `hrunc host` wrote on the other machine, so that images can be recoded away from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"

namespace hrunc::recode {

inline constexpr std::size_t kMaxHostText = std::size_t{4} << 20;       // bytes of a host's JSON text
inline constexpr std::uint64_t kMaxVdsoBytes = std::uint64_t{1} << 20;  // of the vdso
inline constexpr std::uint64_t kMaxKernelArea = std::uint64_t{1} << 24; // bytes of one kernel area
inline constexpr std::size_t kMaxKernelAreas = 8;
inline constexpr std::size_t kMaxKernelNames = 65536; // in all of Host::kernel_directories

// One area that the kernel itself maps into each process, in address order; they adjoin. From /proc/self/maps.
struct KernelArea {
    enum class Kind : std::uint8_t { kVvar, kVvarVclock, kVdso };
    Kind kind;
    std::uint64_t size; // bytes, a multiple of the page size

    bool operator==(const KernelArea &) const = default;
};

struct Host {
    arch::Isa isa = arch::host();
    std::uint64_t page_size = 4096;         // bytes
    std::uint64_t address_limit = 0;        // first address that user space cannot have here
    std::uint32_t last_capability = 0;      // /proc/sys/kernel/cap_last_cap
    std::vector<KernelArea> kernel_areas;   // one vdso, and what stands right before or behind it
    std::string vdso;                       // the vdso's bytes, as long as its area
    std::uint64_t hwcap = 0, hwcap2 = 0;    // AT_HWCAP, AT_HWCAP2
    std::uint64_t minimum_signal_stack = 0; // AT_MINSIGSTKSZ, bytes; 0: the kernel does not say
    std::string kernel_release;             // uname -r, for messages
    // Directories of /proc and /sys with the names in them (processes left out), as far as engines mask what is there.
    // A path in one of these that has no name here is one that the host's kernel lacks. Names are sorted.
    std::map<std::string, std::vector<std::string>> kernel_directories;

    bool operator==(const Host &) const = default;
};

// The host that this process runs on. Reads /proc/self/maps, the vdso, /proc, /sys and the auxiliary vector.
Result<Host> this_host();

// A host as the JSON text that `hrunc host` prints (the vdso in base64), and back. The text is untrusted: sizes and
// the vdso's ELF header are checked.
std::string to_json(const Host &host);
Result<Host> host_from_json(std::string_view text);

// False if the host's kernel has no such file or directory; `path` is below /proc or /sys.
bool kernel_has(const Host &host, std::string_view path);

} // namespace hrunc::recode
