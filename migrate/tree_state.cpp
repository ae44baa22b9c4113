#include "migrate/tree_state.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>

#include "base/fd.h"

namespace hrunc::migrate {

namespace {

// 64-bit FNV-1a.
class Digest {
  public:
    void add(std::string_view bytes) {
        for (char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        value_ = (value_ ^ 0x100) * 0x100000001b3; // an end that no byte is
    }
    void add(const struct stat &status) {
        std::array<std::uint64_t, 5> facts{
            status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_ctim.tv_sec),
            static_cast<std::uint64_t>(status.st_ctim.tv_nsec), static_cast<std::uint64_t>(status.st_size)};
        add(std::string_view(reinterpret_cast<const char *>(facts.data()), sizeof facts));
    }
    std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_ = 0xcbf29ce484222325;
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
