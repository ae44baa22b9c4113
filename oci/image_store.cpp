#include "oci/image_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "oci/json.h"

namespace hrunc::oci {

std::string image_store_root() {
    const char *root = secure_getenv("HRUNC_IMAGE_STORE");
    return root != nullptr && root[0] == '/' ? root : "/var/lib/hrunc/images";
}

std::string image_store(const std::string &container_id) {
    return image_store_root() + "/" + container_id;
}

Result<std::optional<Fd>> open_image_store(const std::string &container_id) {
    if (container_id.empty() || container_id[0] == '.' || container_id.find('/') != std::string::npos)
        return Error(ErrorCode::kInvalid, "container id " + in_quotes(container_id));
    std::string path = image_store(container_id);
    Result<Fd> store = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!store && store.error().system_errno() == ENOENT) return std::optional<Fd>();
    if (!store) return std::move(store).error();
    struct stat status{};
    if (fstat(store->get(), &status) != 0) return Error::system("stat " + in_quotes(path));
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        return Error(ErrorCode::kRefused,
                     in_quotes(path) +
                         ": others than its owner can enter it, or it is another user's; mode 0700 is needed");
    return std::optional<Fd>(std::move(*store));
}

} // namespace hrunc::oci
