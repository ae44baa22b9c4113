#include "oci/image_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "oci/json.h"

namespace hrunc::oci {

namespace {

constexpr std::size_t kMaxDescriptors = 4096; // bytes of JSON
constexpr std::chrono::milliseconds kLookEvery{5};

bool is_at(const Fd &directory, const std::string &path) {
    struct stat opened{}, there{};
    return fstat(directory.get(), &opened) == 0 && lstat(path.c_str(), &there) == 0 && opened.st_ino == there.st_ino &&
           opened.st_dev == there.st_dev;
}

bool is_removed(const Fd &file) {
    struct stat status{};
    return fstat(file.get(), &status) == 0 && status.st_nlink == 0;
}

} // namespace

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

Result<Filling> Filling::begin(const Fd &store) {
    HRUNC_ASSIGN(Fd lock, open_at(store, kIncomplete, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return Error::system("lock the image store");
    return Filling(std::move(lock));
}

Result<void> Filling::end(const Fd &store) {
    if (unlinkat(store.get(), kIncomplete, 0) != 0) return Error::system("complete the image store");
    lock_.reset();
    return {};
}

Result<void> wait_for_images(const Fd &store, const std::string &container_id, const std::function<bool()> &given_up,
                             std::chrono::milliseconds patience) {
    std::string path = image_store(container_id);
    timespec touched{};
    auto alive = std::chrono::steady_clock::now();
    for (bool first = true;; first = false) {
        Result<Fd> lock = open_at(store, kIncomplete, O_RDONLY | O_NOFOLLOW);
        if (!lock && lock.error().system_errno() != ENOENT) return std::move(lock).error();
        // Who removes a store gives it another name first.
        if (!lock && is_at(store, path)) return {};
        if (!lock)
            return Error(ErrorCode::kRefused, in_quotes(path) + " was removed: the images are not to come any more");
        if (flock(lock->get(), LOCK_SH | LOCK_NB) == 0 && !is_removed(*lock))
            return Error(ErrorCode::kRefused,
                         in_quotes(path) + " is incomplete, and nobody fills it any more: restore another checkpoint");
        if (first) HRUNC_TRY(open_at(store, kAwaited, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
        struct stat status{};
        if (fstat(lock->get(), &status) != 0) return Error::system("stat the image store's lock");
        bool again = status.st_mtim.tv_sec != touched.tv_sec || status.st_mtim.tv_nsec != touched.tv_nsec;
        if (again) alive = std::chrono::steady_clock::now(), touched = status.st_mtim;
        if (std::chrono::steady_clock::now() - alive > patience)
            return Error(ErrorCode::kPeer, in_quotes(path) + " is incomplete, and the host that fills it is silent: "
                                                             "when it is up again, run hrunc migrate --recover there");
        if (given_up()) return Error(ErrorCode::kRefused, "the restore was given up while its images were to come");
        std::this_thread::sleep_for(kLookEvery);
    }
}

Result<void> keep_descriptors(const std::string &images, const std::string &store) {
    HRUNC_ASSIGN(std::string text, read_file(images + "/" + kDescriptors, kMaxDescriptors));
    return write_file_atomically(store + "/" + kDescriptors, text, 0600);
}

Result<std::vector<std::string>> read_descriptors(const Fd &store) {
    Result<Fd> file = open_at(store, kDescriptors, O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().system_errno() == ENOENT) return std::vector<std::string>();
    if (!file) return std::move(file).error();
    HRUNC_ASSIGN_IN(std::string text, read_to_end(*file, kMaxDescriptors), kDescriptors);
    return descriptors_from(text);
}

Result<std::vector<std::string>> descriptors_from(std::string_view text) {
    HRUNC_ASSIGN_IN(Json list, parse_json(text), kDescriptors);
    if (!list.is_array() || list.size() > 3)
        return Error(ErrorCode::kInvalid, std::string(kDescriptors) + ": a list of 3 names is expected");
    std::vector<std::string> names;
    for (const Json &one : list) {
        if (!one.is_string()) return Error(ErrorCode::kInvalid, std::string(kDescriptors) + ": a name is expected");
        names.push_back(one.get<std::string>());
    }
    return names;
}

} // namespace hrunc::oci
