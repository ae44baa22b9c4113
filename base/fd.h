// Owned file descriptors, always close-on-exec, and the few calls that everything uses on them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace hrunc {

class Fd {
  public:
    Fd() = default;
    explicit Fd(int number) noexcept : number_(number) {}
    Fd(Fd &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd &operator=(Fd &&other) noexcept {
        if (this != &other) reset(std::exchange(other.number_, -1));
        return *this;
    }
    ~Fd() { reset(); }

    int get() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    void reset(int number = -1) noexcept;
    Result<Fd> duplicate() const;

  private:
    int number_ = -1;
};

// open(2) and openat(2) with O_CLOEXEC added. `mode` counts only with O_CREAT. Errors quote the path.
Result<Fd> open_file(const std::string &path, int flags, mode_t mode = 0);
Result<Fd> open_at(const Fd &directory, const std::string &path, int flags, mode_t mode = 0);

// Opens `path` so that nothing a hostile tree holds leads out of `directory`: openat2(2) with RESOLVE_BENEATH,
// RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS. For directories that came from another host.
Result<Fd> open_beneath(const Fd &directory, const std::string &path, int flags, mode_t mode = 0);

// Opens `path` as a process whose root is `root` would see it: openat2(2) with RESOLVE_IN_ROOT and
// RESOLVE_NO_MAGICLINKS, symlinks followed inside the root. For a container's file system.
Result<Fd> open_in_root(const Fd &root, const std::string &path, int flags);

// The rest of the file from the current offset. More than `limit` bytes is an error that names the limit.
Result<std::string> read_to_end(const Fd &fd, std::size_t limit);
// Exactly `size` bytes at `offset`; a shorter file is an error.
Result<void> read_exactly_at(const Fd &fd, void *out, std::size_t size, std::uint64_t offset);
Result<void> write_all(const Fd &fd, std::string_view bytes);
Result<void> write_all_at(const Fd &fd, std::string_view bytes, std::uint64_t offset);

// A whole file of at most `limit` bytes.
Result<std::string> read_file(const std::string &path, std::size_t limit);
// Replaces `path` as one step: a temporary file beside it, fsync, rename. The file gets `mode`, whatever the umask.
Result<void> write_file_atomically(const std::string &path, std::string_view bytes, mode_t mode);

} // namespace hrunc
