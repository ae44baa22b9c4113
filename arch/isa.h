// The two instruction sets, and what differs between them, as tables. Both are compiled on every host.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hrunc::arch {

enum class Isa : std::uint8_t { kX8664 = 0, kAarch64 = 1 };

inline constexpr std::array<Isa, 2> kIsas{Isa::kX8664, Isa::kAarch64};

struct IsaFacts {
    Isa isa;
    std::string_view name;          // in options, file suffixes and messages; H-Container's names
    std::string_view uname_machine; // uname -m
    std::uint16_t elf_machine;      // e_machine, <elf.h>: EM_X86_64, EM_AARCH64
    std::uint32_t criu_march;       // CoreEntry.mtype, criu images/core.proto: X86_64 1, AARCH64 3
    std::uint64_t address_limit;    // first address that user space cannot have: 47 and 48 bits
    std::string_view seccomp_name;  // linux.seccomp.architectures of the OCI runtime specification
};

inline constexpr std::array<IsaFacts, 2> kIsaFacts{{
    {Isa::kX8664, "x86-64", "x86_64", 62, 1, std::uint64_t{1} << 47, "SCMP_ARCH_X86_64"},
    {Isa::kAarch64, "aarch64", "aarch64", 183, 3, std::uint64_t{1} << 48, "SCMP_ARCH_AARCH64"},
}};
static_assert(kIsaFacts[0].isa == Isa::kX8664 && kIsaFacts[1].isa == Isa::kAarch64);

constexpr const IsaFacts &facts(Isa isa) {
    return kIsaFacts[static_cast<std::size_t>(isa)];
}

constexpr std::string_view name(Isa isa) {
    return facts(isa).name;
}

constexpr Isa other(Isa isa) {
    return isa == Isa::kX8664 ? Isa::kAarch64 : Isa::kX8664;
}

// The ISA that this binary was built for.
constexpr Isa host() {
#if defined(__x86_64__)
    return Isa::kX8664;
#elif defined(__aarch64__)
    return Isa::kAarch64;
#else
#error "hrunc runs on x86-64 and aarch64"
#endif
}

// By name, `uname -m` or Docker's word: "x86-64", "x86_64", "amd64"; "aarch64", "arm64".
constexpr std::optional<Isa> from_name(std::string_view name) {
    if (name == "amd64") return Isa::kX8664;
    if (name == "arm64") return Isa::kAarch64;
    for (const IsaFacts &row : kIsaFacts)
        if (name == row.name || name == row.uname_machine) return row.isa;
    return std::nullopt;
}

constexpr std::optional<Isa> from_elf_machine(std::uint16_t machine) {
    for (const IsaFacts &row : kIsaFacts)
        if (machine == row.elf_machine) return row.isa;
    return std::nullopt;
}

constexpr std::optional<Isa> from_criu_march(std::uint32_t march) {
    for (const IsaFacts &row : kIsaFacts)
        if (march == row.criu_march) return row.isa;
    return std::nullopt;
}

} // namespace hrunc::arch
