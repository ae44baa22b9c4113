#include "shim/process.h"

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <set>
#include <string_view>

#include "base/fd.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxStat = 4096;
constexpr std::size_t kMaxStatus = std::size_t{64} << 10;
constexpr std::size_t kMaxChildren = std::size_t{1} << 20;
constexpr std::size_t kMaxPrintable = 256;

std::string proc(pid_t pid, std::string_view name) {
    return "/proc/" + std::to_string(pid) + "/" + std::string(name);
}

bool is_gone(const Error &error) {
    return error.system_errno() == ENOENT || error.system_errno() == ESRCH;
}

template <typename Number> Number to_number(std::string_view text) {
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// proc(5), /proc/PID/stat: the name may hold anything, so fields are counted from the last parenthesis.
bool parse_stat(std::string_view text, Process &process) {
    std::size_t open = text.find('('), close = text.rfind(')');
    if (open == text.npos || close == text.npos || close < open || close + 2 >= text.size()) return false;
    process.comm = printable(std::string(text.substr(open + 1, close - open - 1)));
    std::vector<std::string_view> fields; // from field 3 on
    for (std::string_view rest = text.substr(close + 2); !rest.empty();) {
        std::size_t space = std::min(rest.find(' '), rest.size());
        fields.push_back(rest.substr(0, space));
        rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    if (fields.size() < 20 || fields[0].empty()) return false;
    process.state = fields[0][0];
    process.parent = to_number<pid_t>(fields[1]);
    process.threads = to_number<std::uint32_t>(fields[17]);
    process.start_time = to_number<std::uint64_t>(fields[19]);
    return true;
}

// The last number on the line that begins with `key`.
pid_t status_number(std::string_view status, std::string_view key) {
    std::size_t at = status.find(key);
    if (at == status.npos) return 0;
    std::string_view line = status.substr(at, status.find('\n', at + 1) - at);
    return to_number<pid_t>(line.substr(line.find_last_of(" \t") + 1));
}

Result<void> add_children(pid_t pid, std::vector<pid_t> &found) {
    std::string tasks = proc(pid, "task");
    DIR *entries = opendir(tasks.c_str());
    if (entries == nullptr) return {}; // gone
    Result<void> done;
    while (const dirent *entry = readdir(entries)) {
        if (entry->d_name[0] == '.') continue;
        auto text = read_file(tasks + "/" + entry->d_name + "/children", kMaxChildren);
        if (!text) {
            if (is_gone(text.error())) continue;
            done = std::move(text).error();
            break;
        }
        for (std::string_view rest = *text; !rest.empty();) {
            std::size_t space = std::min(rest.find(' '), rest.size());
            if (pid_t child = to_number<pid_t>(rest.substr(0, space)); child > 0) found.push_back(child);
            rest.remove_prefix(std::min(space + 1, rest.size()));
        }
    }
    closedir(entries);
    return done;
}

} // namespace

std::string Process::described() const {
    return "process " + std::to_string(pid_inside) + " (" + (executable.empty() ? comm : executable) + ")";
}

std::string printable(const std::string &text) {
    std::string out;
    for (char character : text) {
        if (out.size() >= kMaxPrintable) return out + "...";
        auto byte = static_cast<unsigned char>(character);
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            out += character;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
        out += escaped;
    }
    return out;
}

Result<std::optional<Process>> read_process(pid_t pid) {
    Process process;
    process.pid = pid;
    for (bool stat : {true, false}) {
        auto text = read_file(proc(pid, stat ? "stat" : "status"), stat ? kMaxStat : kMaxStatus);
        if (!text && is_gone(text.error())) return std::optional<Process>();
        if (!text) return std::move(text).error();
        if (stat) {
            if (!parse_stat(*text, process))
                return Error(ErrorCode::kInvalid, "\"" + proc(pid, "stat") + "\": not as proc(5) has it");
        } else {
            process.pid_inside = status_number(*text, "\nNSpid:");
            process.group_leader = status_number(*text, "\nTgid:");
            process.tracer = status_number(*text, "\nTracerPid:");
        }
    }
    char path[PATH_MAX];
    ssize_t length = readlink(proc(pid, "exe").c_str(), path, sizeof path);
    if (length > 0) process.executable = printable(std::string(path, static_cast<std::size_t>(length)));
    return std::optional<Process>(std::move(process));
}

Result<std::vector<pid_t>> process_tree(pid_t init) {
    std::vector<pid_t> found{init};
    std::set<pid_t> seen{init};
    for (std::size_t next = 0; next < found.size(); ++next) {
        std::vector<pid_t> children;
        HRUNC_TRY(add_children(found[next], children));
        for (pid_t child : children)
            if (seen.insert(child).second) found.push_back(child);
        if (found.size() > kMaxProcesses)
            return Error(ErrorCode::kRefused,
                         "the container has more than " + std::to_string(kMaxProcesses) + " processes");
    }
    return found;
}

} // namespace hrunc::shim
