// A container's memory that goes ahead of its checkpoint, while it runs: as the parent directories of the images to
// come, which is what CRIU's own pre-dump makes. (That one needs the kernel's soft-dirty bits, which there are not on
// aarch64; so pages are told apart by their hashes, and nothing is needed of the kernel.)
//
//     STORE/predump-1/    pagemap-7.img, pages-1.img           the memory as it was at first
//     STORE/predump-2/    ..., parent -> ../predump-1          what had changed by then
//     STORE/              ..., parent -> predump-2             what had changed when it was dumped
//
// A page that changes and whose hash (XXH3, 64 bits) stays the same would be lost: one of 2^64, unless the container's
// own program makes one on purpose, to its own harm.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "migrate/page_hashes.h"
#include "recode/memory.h"

namespace hrunc::migrate {

class PreDump {
  public:
    // Makes the next of the directories in the store (a path) from the processes that are in the pid namespace of
    // `init`, a pid of this host. Gives the bytes of its pages. Nothing is made, and the result is 0, where `init` is
    // in this host's own pid namespace.
    Result<std::uint64_t> add(pid_t init, const std::string &store);
    // The directory that add() made last; empty: none.
    std::string last() const { return rounds_ == 0 ? "" : name_of(rounds_); }

    // Removes the pages of the last directory, when they are where they are to be.
    Result<void> drop_pages(const std::string &store) const;

    // Makes the directory `out`: the checkpoint that is in the store, which adds to what the directories have. Files
    // that stay as they are become hard links. Without add() before, it is the whole checkpoint. `hashes`, which have
    // ended, are of the store: pages of which they say that they are known are not read again, and
    // pages of zeros may be left out where memory is zeros without them.
    Result<void> subtract(const std::string &store, const std::string &out, const PageHashes &hashes) const;

  private:
    struct Page {
        std::uint64_t address, hash;
    };
    using Pages = std::vector<Page>; // by address
    struct Adjoined {
        bool before = false, after = false;
    };
    using Areas = std::map<std::uint64_t, std::uint64_t>; // start and end

    class Writer;
    static std::string name_of(unsigned round) { return "predump-" + std::to_string(round); }
    static Result<void> read_process(pid_t pid, Writer &writer);
    static Areas huge_areas(const Fd &images, std::uint32_t pid);
    static Result<void> subtract_run(const recode::PageRange &run, const Fd &pages,
                                     const std::vector<std::uint64_t> &hashes, const Areas &huge, Adjoined adjoined,
                                     Writer &writer);
    Result<bool> subtract_memory(const Fd &images, const std::string &name, std::uint32_t pid, const Fd &out,
                                 const PageHashes &hashes, std::string &pages_name) const;

    unsigned rounds_ = 0;
    std::map<std::uint32_t, Pages> known_; // by the pid that the process has in its namespace
};

} // namespace hrunc::migrate
