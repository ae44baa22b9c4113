#include "migrate/tree_state.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/fd.h"

namespace hrunc::migrate {

namespace {

class Digest {
  public:
    Digest() { XXH3_64bits_reset(&state_); }
    // With the zero that ends it, so that no two lists of paths are the same bytes.
    void add(const std::string &path) { XXH3_64bits_update(&state_, path.c_str(), path.size() + 1); }
    void add(const struct stat &status) {
        std::array<std::uint64_t, 5> facts{
            status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_ctim.tv_sec),
            static_cast<std::uint64_t>(status.st_ctim.tv_nsec), static_cast<std::uint64_t>(status.st_size)};
        XXH3_64bits_update(&state_, facts.data(), sizeof facts);
    }
    std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

  private:
    XXH3_state_t state_;
};

bool add(Digest &digest, const std::string &path) {
    struct stat status{};
    if (lstat(path.c_str(), &status) != 0) return false;
    digest.add(path);
    digest.add(status);
    return true;
}

// tmpfs writes nothing back, so that a page which is mapped and written once is never noticed again.
bool notes_mapped_writes(const std::string &directory) {
    struct statfs status{};
    return statfs(directory.c_str(), &status) == 0 && status.f_type != TMPFS_MAGIC;
}

} // namespace

std::optional<std::uint64_t> state_of_tree(const std::string &directory) {
    Digest digest;
    if (!notes_mapped_writes(directory) || !add(digest, directory)) return std::nullopt;
    std::error_code failure;
    std::filesystem::recursive_directory_iterator entry(directory, failure), end;
    for (; !failure && entry != end; entry.increment(failure))
        if (!add(digest, entry->path().native())) return std::nullopt;
    if (failure) return std::nullopt;
    return digest.value();
}

void sync_tree(const std::string &directory) {
    if (Result<Fd> opened = open_file(directory, O_RDONLY | O_DIRECTORY)) syncfs(opened->get());
}

} // namespace hrunc::migrate
