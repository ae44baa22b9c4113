// An OCI seccomp profile compiled for one ISA, as runc compiles it on a host of that ISA.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "arch/isa.h"
#include "base/result.h"

namespace hrunc::recode {

inline constexpr std::size_t kMaxSeccompProfile = std::size_t{4} << 20; // bytes of JSON
inline constexpr std::size_t kMaxSeccompRules = 16384;                  // names of all rules together
inline constexpr std::size_t kMaxBpfInstructions = 4096;                // <linux/bpf_common.h>: BPF_MAXINSNS

struct SeccompProgram {
    std::string bpf;         // struct sock_filter[], 8 bytes each; empty: the profile asks for no filter
    std::uint32_t flags = 0; // SECCOMP_FILTER_FLAG_* of <linux/seccomp.h>, as seccomp.img has them
};

// `profile` is linux.seccomp of config.json (OCI runtime specification, config-linux.md). Compiled are the ISA itself
// and those of the listed architectures that its kernel can run; system calls that do not exist there are left out.
// As in runc, system calls newer than the newest that the profile names give ENOSYS unless the default action allows
// them. libseccomp works in a child process: for some profiles it does not come to an end or leaks, however short they
// are; after `seconds` of processor time the kernel ends it. Errors: kInvalid for a broken profile, kRefused for what
// cannot be restored (notification listeners) or compiled in that time, kSystem.
Result<SeccompProgram> compile_seccomp(std::string_view profile, arch::Isa isa, unsigned seconds = 20);

} // namespace hrunc::recode
