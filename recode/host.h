// What recode needs to know of the host that the images are to run on. Taken from the running kernel (this_host), or
// from a file that `hrunc host` wrote on the other machine, so that images can be recoded away from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"

namespace hrunc::recode {

// One area that the kernel itself maps into each process, in address order; they adjoin. From /proc/self/maps.
struct KernelArea {
    enum class Kind : std::uint8_t { kVvar, kVvarVclock, kVdso };
    Kind kind;
    std::uint64_t size; // bytes, a multiple of the page size
};

struct Host {
    arch::Isa isa = arch::host();
    std::uint64_t page_size = 4096;       // bytes
    std::uint64_t address_limit = 0;      // first address user space cannot have here; 2^47 or 2^48
    std::uint32_t last_capability = 0;    // /proc/sys/kernel/cap_last_cap
    std::vector<KernelArea> kernel_areas; // vvar first, vdso last
    std::string vdso;                     // the vdso's bytes, as long as its area
    std::uint64_t hwcap = 0, hwcap2 = 0;  // AT_HWCAP, AT_HWCAP2
    std::string kernel_release;           // uname -r, for messages
};

// The host that this process runs on. Reads /proc/self/maps, /proc/self/mem and the auxiliary vector.
Result<Host> this_host();

// A host as the JSON text that `hrunc host` prints (the vdso in base64), and back. The text is untrusted: sizes and
// the vdso's ELF header are checked.
std::string to_json(const Host &host);
Result<Host> host_from_json(std::string_view text);

} // namespace hrunc::recode
