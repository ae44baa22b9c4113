#include "shim/criu_mounts.h"

#include <dirent.h>
#include <sys/mount.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "base/fd.h"

namespace hrunc::shim {

namespace {

constexpr std::string_view kPrefix = ".criu.cg";

} // namespace

Result<void> remove_criu_mounts(const std::string &work_directory) {
    std::unique_ptr<DIR, int (*)(DIR *)> directory(opendir(work_directory.c_str()), closedir);
    if (!directory && errno == ENOENT) return {};
    if (!directory) return Error::system("list \"" + work_directory + "\"");
    while (const dirent *entry = readdir(directory.get())) {
        std::string name = entry->d_name;
        if (!name.starts_with(kPrefix)) continue;
        // Lazily: with all that is mounted beneath. Mounts can lie on each other.
        std::string path = work_directory;
        path += "/" + name;
        while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
        }
        if (rmdir(path.c_str()) != 0) return Error::system("remove what criu left, \"" + path + "\"");
    }
    return {};
}

} // namespace hrunc::shim
