// Finding a process's program for the target, and proving that it is the same program.
//
// The file that the image names is taken if it is one for the target ISA, else its sibling BASE_x86-64 or BASE_aarch64,
// where BASE is the name without such a suffix. The source ISA's own file must stand beside it with the build id that
// the image records, and the program headers of both must be equal.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arch/isa.h"
#include "base/fd.h"
#include "base/result.h"
#include "recode/elf.h"
#include "recode/images/files.pb.h"
#include "recode/recode.h"

namespace hrunc::recode {

// Where an ABI's objects lie in a program, equal on both ISAs.
struct AbiSymbols {
    Abi abi = Abi::kNone;
    std::uint64_t regs_dst = 0, tls_dst = 0; // popcorn
    std::optional<std::uint64_t> sigreturn;  // popcorn
    std::uint64_t process = 0;               // portable

    bool operator==(const AbiSymbols &) const = default;
};

struct TargetProgram {
    std::string name; // path in the container
    std::uint64_t size = 0;
    std::uint32_t mode = 0;              // st_mode
    std::optional<std::string> build_id; // raw bytes
    std::optional<AbiSymbols> abi;
};

class Executables {
  public:
    // `root`: the container's file system; `mounts`: path in the container -> path here.
    static Result<Executables> open(const std::string &root, const std::map<std::string, std::string> &mounts);

    // For a mapped file of a process that moves from `from` to `to`. kRefused with the reason, which does not name the
    // process: `has no migratable binary`, `missing sibling executable "/app/x_x86-64"`, `build id differs: ...`.
    // `main_program`: it must have the symbols of an ABI.
    Result<TargetProgram> find(const images::RegularFile &file, bool main_program, arch::Isa from, arch::Isa to) const;

  private:
    struct Program;
    Executables() = default;
    Result<std::optional<Program>> open_program(const std::string &path) const;
    Result<Fd> open_path(const std::string &path) const;

    Fd root_;
    std::map<std::string, std::string> mounts_;
};

} // namespace hrunc::recode
