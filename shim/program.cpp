#include "shim/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "shim/config.h"

namespace hrunc::shim {

namespace {

// What execvp(3) takes where PATH is unset, and the directories of an administrator's programs.
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view search_path() {
    const char *variable = std::getenv("PATH");
    return variable != nullptr ? std::string_view(variable) : kDefaultPath;
}

std::string where(std::string_view key, const std::string &program) {
    return std::string(key) + " \"" + program + "\" (key \"" + std::string(key) + "\" of \"" + config_file() + "\")";
}

bool is_hrunc_itself(const struct stat &file) {
    struct stat self{};
    return stat("/proc/self/exe", &self) == 0 && self.st_dev == file.st_dev && self.st_ino == file.st_ino;
}

// 0, or why `path` cannot be started.
int why_not_executable(const std::string &path, struct stat &file) {
    if (stat(path.c_str(), &file) != 0) return errno;
    if (!S_ISREG(file.st_mode)) return EACCES;
    return access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

} // namespace

Result<std::string> find_program(const std::string &program, std::string_view key) {
    struct stat file{};
    if (program.find('/') != std::string::npos) {
        if (int number = why_not_executable(program, file)) return Error::system(where(key, program), number);
        if (is_hrunc_itself(file)) return Error(ErrorCode::kRefused, where(key, program) + ": that is hrunc itself");
        return program;
    }
    if (std::optional<std::string> found = find_on_path(program)) return *found;
    return Error(ErrorCode::kRefused,
                 where(key, program) + ": not found on PATH \"" + std::string(search_path()) + "\"");
}

std::optional<std::string> find_on_path(const std::string &name) {
    struct stat file{};
    for (std::string_view rest = search_path(); !rest.empty();) {
        std::string_view directory = rest.substr(0, rest.find(':'));
        rest.remove_prefix(directory.size() == rest.size() ? rest.size() : directory.size() + 1);
        if (!directory.starts_with('/')) continue; // a name relative to a bundle directory would be the container's
        std::string candidate = std::string(directory) + "/" + name;
        if (why_not_executable(candidate, file) == 0 && !is_hrunc_itself(file)) return candidate;
    }
    return std::nullopt;
}

Result<std::string> own_path() {
    std::array<char, PATH_MAX> path{};
    ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0) return Error::system("read \"/proc/self/exe\"");
    std::string own(path.data(), static_cast<std::size_t>(length));
    struct stat file{};
    if (stat(own.c_str(), &file) != 0 || !is_hrunc_itself(file))
        return Error(ErrorCode::kSystem, "\"" + own + "\": replaced or removed since this hrunc was started");
    return own;
}

} // namespace hrunc::shim
