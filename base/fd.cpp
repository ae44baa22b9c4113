#include "base/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace hrunc {

namespace {

std::string quoted(std::string_view path) {
    return "\"" + std::string(path) + "\"";
}

Result<Fd> open_resolved(const Fd &directory, const std::string &path, int flags, mode_t mode, std::uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = resolve;
    for (int attempt = 0;; ++attempt) {
        long fd = syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how);
        if (fd >= 0) return Fd(static_cast<int>(fd));
        // EAGAIN: a rename elsewhere in the tree raced with the walk; openat2(2) says to try again.
        if (errno != EINTR && (errno != EAGAIN || attempt > 100)) return Error::system("open " + quoted(path));
    }
}

} // namespace

void Fd::reset(int number) noexcept {
    if (number_ >= 0) close(number_);
    number_ = number;
}

Result<Fd> Fd::duplicate() const {
    int copy = fcntl(number_, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return Error::system("duplicate a descriptor");
    return Fd(copy);
}

Result<Fd> open_file(const std::string &path, int flags, mode_t mode) {
    int fd = open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) return Error::system("open " + quoted(path));
    return Fd(fd);
}

Result<Fd> open_at(const Fd &directory, const std::string &path, int flags, mode_t mode) {
    int fd = openat(directory.get(), path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) return Error::system("open " + quoted(path));
    return Fd(fd);
}

Result<Fd> open_beneath(const Fd &directory, const std::string &path, int flags, mode_t mode) {
    return open_resolved(directory, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Result<Fd> open_in_root(const Fd &root, const std::string &path, int flags) {
    return open_resolved(root, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<std::string> read_to_end(const Fd &fd, std::size_t limit) {
    std::string bytes;
    constexpr std::size_t kChunk = std::size_t{64} << 10;
    for (;;) {
        std::size_t have = bytes.size();
        bytes.resize(have + std::min(kChunk, limit - have + 1));
        ssize_t got = read(fd.get(), bytes.data() + have, bytes.size() - have);
        if (got < 0 && errno != EINTR) return Error::system("read");
        bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) return bytes;
        if (bytes.size() > limit)
            return Error(ErrorCode::kInvalid, "larger than the limit of " + std::to_string(limit) + " bytes");
    }
}

Result<void> read_exactly_at(const Fd &fd, void *out, std::size_t size, std::uint64_t offset) {
    auto *at = static_cast<char *>(out);
    while (size > 0) {
        ssize_t got = pread(fd.get(), at, size, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error::system("read at offset " + std::to_string(offset));
        if (got == 0)
            return Error(ErrorCode::kInvalid,
                         "ends at offset " + std::to_string(offset) + ", " + std::to_string(size) + " bytes short");
        at += got;
        size -= static_cast<std::size_t>(got);
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

Result<void> write_all(const Fd &fd, std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t put = write(fd.get(), bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return Error::system("write");
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> write_all_at(const Fd &fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        ssize_t put = pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return Error::system("write at offset " + std::to_string(offset));
        bytes.remove_prefix(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<std::string> read_file(const std::string &path, std::size_t limit) {
    HRUNC_ASSIGN(Fd fd, open_file(path, O_RDONLY | O_NOCTTY));
    HRUNC_ASSIGN_IN(std::string bytes, read_to_end(fd, limit), quoted(path));
    return bytes;
}

Result<void> write_file_atomically(const std::string &path, std::string_view bytes, mode_t mode) {
    std::string temporary = path + ".XXXXXX";
    Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) return Error::system("create " + quoted(temporary));
    auto finish = [&]() -> Result<void> {
        HRUNC_TRY_IN(write_all(fd, bytes), quoted(temporary));
        if (fchmod(fd.get(), mode) != 0) return Error::system("chmod " + quoted(temporary));
        if (fsync(fd.get()) != 0) return Error::system("fsync " + quoted(temporary));
        if (rename(temporary.c_str(), path.c_str()) != 0) return Error::system("rename to " + quoted(path));
        return {};
    };
    Result<void> done = finish();
    if (!done) unlink(temporary.c_str());
    return done;
}

} // namespace hrunc
