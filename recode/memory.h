// The dumped memory of one process (or shared mapping), read by address through its pagemap.
//
// Pages lie in pages-N.img in the order of the pagemap's runs. Incremental images leave out what an older directory
// holds ("in parent"); a chain of such directories is followed as far as a read needs it.
// Source: CRIU criu/pagemap.c, criu/include/pagemap.h, images/pagemap.proto.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "recode/images/memory.pb.h"

namespace hrunc::recode {

inline constexpr std::size_t kMaxPageRuns = std::size_t{4} << 20; // of one process, its parents' among them: 128 MB
inline constexpr std::array<std::uint64_t, 3> kPageSizes{4096, 16384, 65536};

struct PageRange {
    enum class Place : std::uint8_t { kPages, kParent, kLazy }; // kLazy: left on the source host, in no image
    std::uint64_t address = 0;                                  // a multiple of the page size
    std::uint64_t pages = 0;
    std::uint64_t first = 0; // index of the first page in the pages file; only of kPages
    Place place = Place::kPages;
};

// What a message says; CRIU has written page counts and places in three ways.
std::uint64_t run_pages(const images::PageRun &run);
PageRange::Place run_place(const images::PageRun &run);
// Says it so that CRIU 3.17 to 4.2 all understand: 4.2 and later write and read a 64-bit count and leave the old one 0,
// older ones know only the old one.
void set_run(images::PageRun &run, std::uint64_t address, std::uint32_t pages, PageRange::Place place);

// One pagemap image. Reading it costs by the number of its runs, not by the size of the memory.
class Pagemap {
  public:
    // `name`: "pagemap-7.img" or "pagemap-shmem-7.img". It is kInvalid unless addresses are page-aligned and ascending,
    // nothing overlaps or passes 2^64, and the pages file is as long as the pages say.
    static Result<Pagemap> read(const Fd &directory, const std::string &name, std::size_t max_runs = kMaxPageRuns);

    const std::vector<PageRange> &runs() const { return runs_; }
    // The run that holds the address; null if there is none.
    const PageRange *find(std::uint64_t address) const;
    std::uint64_t end(const PageRange &run) const { return run.address + run.pages * page_size_; }

    std::uint64_t count(PageRange::Place place) const { return counts_[static_cast<std::size_t>(place)]; } // pages
    // In bytes, from the pages file's size; 4096 where there is none (memory that was not dumped into this directory).
    std::uint64_t page_size() const { return page_size_; }
    const std::string &pages_name() const { return pages_name_; } // "pages-1.img"
    bool has_pages_file() const { return has_pages_file_; }

  private:
    Pagemap() = default;
    Result<void> read_runs(const Fd &directory, const std::string &name, std::size_t max_runs);
    Result<void> find_page_size(const Fd &directory);
    Result<void> check_order(const std::string &name) const;

    std::vector<PageRange> runs_;
    std::array<std::uint64_t, 3> counts_{};
    std::uint64_t page_size_ = kPageSizes[0];
    std::string pages_name_;
    bool has_pages_file_ = false;
};

class DumpedMemory {
  public:
    // `name` as for Pagemap. Takes a duplicate of the directory.
    static Result<DumpedMemory> open(const Fd &directory, const std::string &name);
    static Result<DumpedMemory> of_process(const Fd &directory, std::uint32_t pid);

    // All of [address, address + size), from as many runs and directories as it takes. Memory that was not dumped is
    // kInvalid: "address 0x7000: not in the dump".
    Result<void> read(std::uint64_t address, void *out, std::size_t size);
    template <typename T> Result<T> read(std::uint64_t address) {
        T value;
        HRUNC_TRY(read(address, &value, sizeof value));
        return value;
    }
    // Up to the first zero byte, which must come within `limit` bytes.
    Result<std::string> read_string(std::uint64_t address, std::size_t limit);
    // Whether the pagemap has all of the range, here or in a parent.
    bool holds(std::uint64_t address, std::uint64_t size) const;

    // As good as this object, whatever is read meanwhile.
    const Pagemap &pagemap() const { return levels_.front().pagemap; }

  private:
    struct Level {
        Fd directory;
        Pagemap pagemap;
        Fd pages; // opened when first read
    };
    DumpedMemory() = default;
    Result<void> add_level(Fd directory);
    Result<void> reach(std::size_t level);
    static Result<void> read_pages(Level &level, const PageRange &run, std::uint64_t address, char *out,
                                   std::size_t size);

    std::string name_;
    std::deque<Level> levels_; // reads add to it, and pagemap() has to stay where it is
    std::size_t runs_ = 0;
};

} // namespace hrunc::recode
