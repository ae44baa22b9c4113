#include "shim/daemon_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "oci/json.h"
#include "shim/daemon_json.h"

namespace hrunc::shim {

namespace {

Error as_whom(std::string_view act) {
    int number = errno;
    bool not_allowed = (number == EACCES || number == EPERM) && geteuid() != 0;
    Error error = Error::system(act, number);
    return not_allowed ? Error(ErrorCode::kSystem, error.text() + "; run it as root") : error;
}

// Whoever can put files there could put a link to another one in this one's place.
Result<Fd> lock_directory(const std::string &path, bool make) {
    if (make && mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return as_whom("make " + oci::in_quotes(path));
    HRUNC_ASSIGN(Fd directory, open_file(path, O_RDONLY | O_DIRECTORY));
    struct stat status{};
    if (fstat(directory.get(), &status) != 0) return Error::system("stat " + oci::in_quotes(path));
    if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Error(ErrorCode::kRefused,
                     "directory " + oci::in_quotes(path) + ": others than root and who runs hrunc can write to it");
    if (flock(directory.get(), LOCK_EX) != 0) return Error::system("lock " + oci::in_quotes(path));
    return directory;
}

struct Read {
    std::string text;
    struct stat status{};
};

// Nothing where there is no such file.
Result<std::optional<Read>> read_in_place(const std::string &path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
    if (!fd && errno == ENOENT) return std::optional<Read>();
    if (!fd && errno == ELOOP)
        return Error(ErrorCode::kRefused,
                     oci::in_quotes(path) + ": is a symbolic link; name the file that it leads to with --file");
    if (!fd) return as_whom("open " + oci::in_quotes(path));
    Read read;
    if (fstat(fd.get(), &read.status) != 0) return Error::system("stat " + oci::in_quotes(path));
    if (!S_ISREG(read.status.st_mode)) return Error(ErrorCode::kInvalid, oci::in_quotes(path) + ": not a regular file");
    HRUNC_ASSIGN_IN(read.text, read_to_end(fd, kDaemonJsonLimit), oci::in_quotes(path));
    return std::optional<Read>(std::move(read));
}

} // namespace

Result<DaemonFile> DaemonFile::open(const std::string &path, bool make_directory) {
    std::error_code error;
    std::filesystem::path absolute = std::filesystem::absolute(path, error);
    if (error || absolute.filename().empty()) return Error(ErrorCode::kInvalid, oci::in_quotes(path) + ": not a file");
    if (!make_directory && !std::filesystem::exists(absolute.parent_path(), error)) return DaemonFile(absolute, Fd());
    HRUNC_ASSIGN(Fd lock, lock_directory(absolute.parent_path(), make_directory));
    DaemonFile file(absolute, std::move(lock));
    HRUNC_ASSIGN(std::optional<Read> read, read_in_place(file.path_));
    file.user_ = geteuid();
    file.group_ = getegid();
    if (read) {
        file.text_ = std::move(read->text);
        file.mode_ = read->status.st_mode & 07777;
        file.user_ = read->status.st_uid;
        file.group_ = read->status.st_gid;
    }
    HRUNC_ASSIGN(std::optional<Read> backup, read_in_place(file.backup_path()));
    if (backup) file.backup_ = std::move(backup->text);
    return file;
}

Result<void> DaemonFile::write(const std::string &path, std::string_view text) const {
    // Nobody reads it before it has its owner.
    if (Result<void> written = write_file_atomically(path, text, 0600); !written) {
        errno = written.error().system_errno();
        return errno == EACCES ? as_whom("write " + oci::in_quotes(path)) : std::move(written).error();
    }
    bool same_owner = user_ == geteuid() && group_ == getegid();
    if (!same_owner && chown(path.c_str(), user_, group_) != 0)
        return as_whom("give " + oci::in_quotes(path) + " to user " + std::to_string(user_));
    if (chmod(path.c_str(), mode_) != 0) return as_whom("chmod " + oci::in_quotes(path));
    return {};
}

Result<void> DaemonFile::replace(std::string_view text,
                                 const std::function<Result<void>(const std::string &)> &check) const {
    if (text.empty()) {
        if (unlink(path_.c_str()) != 0 && errno != ENOENT) return as_whom("remove " + oci::in_quotes(path_));
        return {};
    }
    std::string candidate = path_ + ".hrunc-new";
    auto put = [&]() -> Result<void> {
        HRUNC_TRY(write(candidate, text));
        HRUNC_TRY(check(candidate));
        if (rename(candidate.c_str(), path_.c_str()) != 0) return as_whom("rename to " + oci::in_quotes(path_));
        return {};
    };
    Result<void> done = put();
    if (!done) unlink(candidate.c_str());
    fsync(lock_.get());
    return done;
}

Result<void> DaemonFile::keep_backup() const {
    std::string candidate = backup_path() + ".hrunc-new";
    HRUNC_TRY(write(candidate, text_));
    if (rename(candidate.c_str(), backup_path().c_str()) != 0) return as_whom("rename to " + backup_path());
    return {};
}

Result<void> DaemonFile::remove_backup() const {
    if (unlink(backup_path().c_str()) != 0 && errno != ENOENT)
        return as_whom("remove " + oci::in_quotes(backup_path()));
    return {};
}

} // namespace hrunc::shim
