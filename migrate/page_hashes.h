// The hashes (XXH3, 64 bits) of the pages that a dump writes, made while it writes them: a dump spends its time in the
// kernel, and leaves a processor for this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::migrate {

// This host's, in bytes.
std::uint64_t page_size();

// The names of a directory's regular files.
Result<std::vector<std::string>> regular_files(const Fd &directory);

class PageHashes {
  public:
    PageHashes() = default; // of nothing
    // Begins with the pages files of the directory `store`, which only grow, and those that will be made there. A page
    // has this host's size.
    explicit PageHashes(const std::string &store);
    PageHashes(PageHashes &&) = delete;
    PageHashes &operator=(PageHashes &&) = delete;
    ~PageHashes() = default; // ends, as end() does

    // Comes to the end of what is there by now, and ends.
    void end();
    // After end(): the hashes of pages-ID.img, from its first page on; none, where the file cannot be read.
    const std::vector<std::uint64_t> &of(std::uint64_t pages_id) const;

  private:
    struct File {
        Fd fd;
        std::vector<std::uint64_t> hashes;
    };
    void find();
    bool read_on(File &file);
    void follow(const std::stop_token &stop);

    Fd store_;
    std::string buffer_;                  // whole pages
    std::map<std::uint64_t, File> files_; // by the number in the name
    std::jthread thread_;                 // has all of the above until it has ended
};

} // namespace hrunc::migrate
