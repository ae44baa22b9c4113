// A CRIU image directory: what is in it, and that its parts belong together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/isa.h"
#include "base/fd.h"
#include "base/result.h"
#include "recode/images/core.pb.h"
#include "recode/images/inventory.pb.h"

namespace hrunc::recode {

inline constexpr std::size_t kMaxImageFiles = std::size_t{1} << 20;
inline constexpr std::size_t kMaxThreads = std::size_t{1} << 18; // of all processes together
inline constexpr unsigned kMaxParents = 64;                      // directories in a chain of incremental images
inline constexpr std::size_t kMaxParentLink = 4095;              // bytes
inline constexpr const char *kParentLink = "parent";             // CRIU criu/include/image.h

// TaskCore.state. Source: CRIU compel/include/uapi/task-state.h.
inline constexpr std::uint32_t kTaskAlive = 1;
inline constexpr std::uint32_t kTaskDead = 2;
inline constexpr std::uint32_t kTaskStopped = 3;
inline constexpr std::uint32_t kTaskZombie = 6;

struct DumpedProcess {
    std::uint32_t pid = 0, parent = 0, group = 0, session = 0;
    std::vector<std::uint32_t> threads; // thread ids, `pid` first
    std::uint32_t state = 0;
    std::string comm;      // as the image has it, not printable as it is
    images::ObjectIds ids; // of a living process

    bool alive() const { return state == kTaskAlive || state == kTaskStopped; }
};

class ImageDirectory {
  public:
    // Lists the directory and reads inventory, process tree and all cores, one at a time. Then it holds that
    //  - the image version is the one that CRIU 2.0 and later write (else kRefused),
    //  - every core is of one and the same of the two ISAs (else kRefused),
    //  - pids and thread ids are there once each, and parents exist,
    //  - every thread has its core; every living process its mm, pagemap, fs, ids and fdinfo.
    // What breaks this is kInvalid. Nothing is followed out of the directory.
    static Result<ImageDirectory> open(const std::string &path);
    static Result<ImageDirectory> on(Fd directory);

    const Fd &fd() const { return fd_; }
    // All entries but "." and "..", sorted; foreign files and whatever is no regular file too.
    const std::vector<std::string> &names() const { return names_; }
    bool has(const std::string &name) const;

    arch::Isa isa() const { return isa_; }
    const images::Inventory &inventory() const { return inventory_; }
    const std::vector<DumpedProcess> &processes() const { return processes_; } // parents before children

  private:
    ImageDirectory() = default;
    Result<void> list();
    Result<void> read_inventory();
    Result<void> read_processes();
    Result<void> read_cores();
    Result<void> read_core(DumpedProcess &process, std::uint32_t thread, std::optional<arch::Isa> &isa);
    Result<void> read_ids(DumpedProcess &process);
    Result<void> check_files(const DumpedProcess &process) const;

    Fd fd_;
    std::vector<std::string> names_;
    arch::Isa isa_ = arch::host();
    images::Inventory inventory_;
    std::vector<DumpedProcess> processes_;
};

// The target of the link "parent" that CRIU leaves in incremental images; nothing if there is none. Not printable as it
// is. Anything else of that name than a symlink is kInvalid.
Result<std::optional<std::string>> parent_link(const Fd &directory);

// The directory of the images that these ones add to; nothing if there is none. Images come from other hosts, and what
// the link names becomes the memory of a process. So it is followed only to where one tool puts a whole series: into
// the directory itself, or into a sibling of it ("../NAME"), without symlinks. Any other target is kRefused.
Result<std::optional<Fd>> open_parent(const Fd &directory);

} // namespace hrunc::recode
