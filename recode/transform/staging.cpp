#include "recode/transform/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

#include <fmt/format.h>

#include "recode/image_directory.h"

namespace hrunc::recode {

namespace {

Result<std::string> real_path(const std::string &path) {
    std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr), &std::free);
    if (!resolved) return Error::system("\"" + path + "\"");
    return std::string(resolved.get());
}

// Both absolute and resolved. CRIU opens it relative to the directory, so no part of it is looked up in another root.
std::string relative_path(const std::string &from, const std::string &to) {
    std::size_t common = 0;
    for (std::size_t i = 0; i <= std::min(from.size(), to.size()); ++i) {
        bool from_ends = i == from.size() || from[i] == '/', to_ends = i == to.size() || to[i] == '/';
        if (from_ends && to_ends) common = i;
        if (i == from.size() || i == to.size() || from[i] != to[i]) break;
    }
    std::string out;
    for (std::size_t i = common; i < from.size(); ++i)
        if (from[i] == '/') out += "../";
    return out + (common < to.size() ? to.substr(common + 1) : ".");
}

std::string last_component(std::string path, std::string &directory) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    std::size_t slash = path.rfind('/');
    directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// The same regular file as seen through the source's own `parent`, where an earlier recode linked it.
Result<void> check_linked(const Fd &source, const std::string &name, unsigned depth = 0) {
    if (depth >= kMaxParents)
        return Error(ErrorCode::kInvalid, fmt::format("more than the limit of {} parents (kMaxParents)", kMaxParents));
    char target[NAME_MAX + 16];
    ssize_t size = readlinkat(source.get(), name.c_str(), target, sizeof target);
    if (size < 0 || std::string_view(target, static_cast<std::size_t>(size)) != std::string(kParentLink) + "/" + name)
        return Error(ErrorCode::kInvalid, "\"" + name + "\": not a regular file");
    HRUNC_ASSIGN(std::optional<Fd> parent, open_parent(source));
    if (!parent) return Error(ErrorCode::kInvalid, "\"" + name + "\": a link to a parent that is not there");
    if (Result<Fd> file = open_image(*parent, name); file) return {};
    return check_linked(*parent, name, depth + 1);
}

} // namespace

Result<Staging> Staging::make(const std::string &output, const std::string &source) {
    Staging staging;
    std::string directory;
    staging.name_ = last_component(output, directory);
    if (staging.name_.empty() || staging.name_ == "." || staging.name_ == ".." || staging.name_ == "/")
        return Error(ErrorCode::kInvalid, "\"" + output + "\": not a name for a directory");
    HRUNC_ASSIGN(staging.parent_, open_file(directory, O_RDONLY | O_DIRECTORY));
    struct stat status{};
    if (fstatat(staging.parent_.get(), staging.name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        return Error(ErrorCode::kRefused, "\"" + output + "\" exists already");
    HRUNC_ASSIGN(std::string place, real_path(directory));
    HRUNC_ASSIGN(std::string images, real_path(source));
    std::random_device random;
    for (int attempt = 0; staging.hidden_.empty(); ++attempt) {
        std::string hidden = fmt::format(".{}.{:08x}", staging.name_.substr(0, 200), random());
        if (mkdirat(staging.parent_.get(), hidden.c_str(), 0700) == 0)
            staging.hidden_ = hidden;
        else if (errno != EEXIST || attempt > 100)
            return Error::system(fmt::format("make \"{}/{}\"", directory, hidden));
    }
    HRUNC_ASSIGN(staging.directory_, open_at(staging.parent_, staging.hidden_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (fchmod(staging.directory_.get(), 0700) != 0) return Error::system("chmod \"" + staging.hidden_ + "\"");
    std::string link = relative_path((place == "/" ? "" : place) + "/" + staging.name_, images);
    if (symlinkat(link.c_str(), staging.directory_.get(), kParentLink) != 0) return Error::system("link to the images");
    staging.names_.insert(kParentLink);
    return staging;
}

Staging::Staging(Staging &&other) noexcept
    : parent_(std::move(other.parent_)), directory_(std::move(other.directory_)),
      hidden_(std::exchange(other.hidden_, {})), name_(std::move(other.name_)), names_(std::move(other.names_)),
      bytes_(other.bytes_) {}

Staging::~Staging() {
    if (hidden_.empty()) return;
    for (const std::string &name : names_) unlinkat(directory_.get(), name.c_str(), 0);
    unlinkat(parent_.get(), hidden_.c_str(), AT_REMOVEDIR);
}

Result<void> Staging::write(const Image &image) {
    names_.insert(image.name());
    HRUNC_ASSIGN_IN(std::uint64_t size, image.write(directory_), "write");
    bytes_ += size;
    return {};
}

Result<void> Staging::write(const std::string &name, std::string_view bytes) {
    HRUNC_ASSIGN(Fd file, open_at(directory_, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    names_.insert(name);
    if (fchmod(file.get(), 0600) != 0) return Error::system("chmod \"" + name + "\"");
    HRUNC_TRY_IN(write_all(file, bytes), "write \"" + name + "\"");
    bytes_ += bytes.size();
    return {};
}

Result<void> Staging::carry(const Fd &source, const std::string &name) {
    if (has(name)) return {};
    Result<Fd> file = open_image(source, name);
    if (!file) HRUNC_TRY(check_linked(source, name));
    struct stat status{};
    if (file && fstat(file->get(), &status) != 0) return Error::system("look at \"" + name + "\"");
    if (file && static_cast<std::uint64_t>(status.st_size) <= kMaxCopiedFile) {
        HRUNC_ASSIGN_IN(std::string bytes, read_to_end(*file, kMaxCopiedFile), "\"" + name + "\"");
        return write(name, bytes);
    }
    std::string link = std::string(kParentLink) + "/" + name;
    if (symlinkat(link.c_str(), directory_.get(), name.c_str()) != 0) return Error::system("link \"" + name + "\"");
    names_.insert(name);
    return {};
}

Result<void> Staging::sync() const {
    for (const std::string &name : names_) {
        Result<Fd> file = open_at(directory_, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!file) continue; // a link
        if (fsync(file->get()) != 0) return Error::system("write \"" + name + "\" to the disk");
    }
    if (fsync(directory_.get()) != 0) return Error::system("write \"" + hidden_ + "\" to the disk");
    return {};
}

Result<void> Staging::commit() {
    HRUNC_TRY(sync());
    if (renameat2(parent_.get(), hidden_.c_str(), parent_.get(), name_.c_str(), RENAME_NOREPLACE) != 0)
        return Error::system("rename \"" + hidden_ + "\" to \"" + name_ + "\"");
    hidden_.clear();
    if (fsync(parent_.get()) != 0) return Error::system("write the directory of \"" + name_ + "\" to the disk");
    return {};
}

} // namespace hrunc::recode
