#include "shim/criu_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxConfiguration = std::size_t{1} << 20;
constexpr std::size_t kMaxErrorText = 1000; // bytes of an error line that a person gets to see

// criu logs these as errors and goes on.
constexpr std::array<std::string_view, 1> kIgnoredByCriu{"rlimit: Can't setup RLIMIT_NOFILE for self"};

bool ignored(std::string_view line) {
    return std::ranges::any_of(kIgnoredByCriu,
                               [&](std::string_view text) { return line.find(text) != std::string_view::npos; });
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    std::size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return "";
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view next_line(std::string_view &rest) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    return line;
}

void drop_oldest(const std::string &directory) {
    std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> logs;
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
        if (at->path().extension() == ".log" && at->is_regular_file(error))
            logs.emplace_back(at->last_write_time(error), at->path());
    std::ranges::sort(logs);
    for (std::size_t kept = logs.size(); kept > kKeptLogs; --kept)
        std::filesystem::remove(logs[logs.size() - kept].second, error);
}

} // namespace

std::string first_error(std::string_view log) {
    constexpr std::string_view kMark = "Error (";
    while (!log.empty()) {
        std::string_view line = next_line(log);
        std::size_t at = line.find(kMark);
        if (at == std::string_view::npos || ignored(line)) continue;
        return std::string(trimmed(line.substr(at + kMark.size() - 1)).substr(0, kMaxErrorText));
    }
    return "";
}

std::string configured(const std::string &file, std::string_view key) {
    Result<std::string> text = read_file(file, kMaxConfiguration);
    if (!text) return "";
    std::string value;
    for (std::string_view rest = *text; !rest.empty();) {
        std::string_view line = trimmed(next_line(rest));
        if (!line.starts_with(key)) continue;
        std::string_view after = line.substr(key.size());
        if (!after.empty() && after.front() != ' ' && after.front() != '\t') continue;
        after = trimmed(after.substr(0, after.find('#')));
        if (after.size() >= 2 && after.front() == '"' && after.back() == '"') after = after.substr(1, after.size() - 2);
        value = after;
    }
    return value;
}

Result<std::string> keep_log(const std::string &log, const std::string &directory, const std::string &name) {
    HRUNC_ASSIGN(std::string bytes, read_file(log, kMaxCriuLog));
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(directory).parent_path(), error);
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return Error::system("make the log directory \"" + directory + "\"");
    std::string copy = directory + "/" + name;
    HRUNC_TRY(write_file_atomically(copy, bytes, 0600));
    drop_oldest(directory);
    return copy;
}

} // namespace hrunc::shim
