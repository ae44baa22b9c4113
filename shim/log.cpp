#include "shim/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/fd.h"

namespace hrunc::shim {

namespace {

struct Log {
    LogSettings settings;
    Fd file, debug_file;
};

Log &the_log() {
    static Log log;
    return log;
}

constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> kTerminalNames{"DEBU", "INFO", "WARN", "ERRO"};
constexpr std::array<int, 4> kTerminalColours{37, 36, 33, 31};

// RFC 3339 with the local zone, as Go prints it: "Z" for UTC, else "+01:00".
std::string timestamp(std::time_t time) {
    std::tm parts{};
    localtime_r(&time, &parts);
    std::array<char, 64> text{};
    std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::string stamp(text.data(), length);
    if (parts.tm_gmtoff == 0) return stamp + "Z";
    long minutes = std::abs(parts.tm_gmtoff) / 60;
    std::snprintf(text.data(), text.size(), "%c%02ld:%02ld", parts.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
                  minutes % 60);
    return stamp + text.data();
}

bool needs_quotes(std::string_view text) {
    return !std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._/@^+").find(static_cast<char>(c)) != std::string_view::npos;
    });
}

// A Go string literal. Bytes above 0x7f stand as they are.
std::string quoted(std::string_view text) {
    constexpr std::string_view kEscaped = "\a\b\f\n\r\t\v\"\\", kLetters = "abfnrtv\"\\";
    std::string out = "\"";
    for (char c : text) {
        if (std::size_t at = kEscaped.find(c); at != std::string_view::npos) {
            out += '\\';
            out += kLetters[at];
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            std::array<char, 8> hex{};
            std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned>(c));
            out += hex.data();
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string terminal_line(LogLevel level, std::string_view message) {
    std::size_t index = static_cast<std::size_t>(level);
    std::string padded(message);
    padded.resize(std::max<std::size_t>(padded.size(), 44), ' ');
    return "\x1b[" + std::to_string(kTerminalColours[index]) + "m" + std::string(kTerminalNames[index]) +
           "\x1b[0m[0000] " + padded + "\n";
}

// A log that cannot be written has nobody left to tell.
void write_line(const Fd &fd, const std::string &line) {
    (void)write_all(fd, line).ok();
}

void write_to_stderr(std::string_view line) {
    while (!line.empty()) {
        ssize_t put = write(STDERR_FILENO, line.data(), line.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return;
        line.remove_prefix(static_cast<std::size_t>(put));
    }
}

void log_as(LogLevel level, std::string_view message, bool last_word) {
    Log &log = the_log();
    std::time_t now = std::time(nullptr);
    if (log.debug_file) write_line(log.debug_file, log_line(LogFormat::kText, level, message, now));
    if (level == LogLevel::kDebug && !log.settings.debug) return;
    if (log.file) {
        write_line(log.file, log_line(log.settings.format, level, message, now));
    } else if (last_word || !log.settings.stderr_is_the_containers) {
        bool terminal = log.settings.format == LogFormat::kText && isatty(STDERR_FILENO) == 1;
        write_to_stderr(terminal ? terminal_line(level, message) : log_line(log.settings.format, level, message, now));
    }
}

} // namespace

std::string log_line(LogFormat format, LogLevel level, std::string_view message, std::time_t time) {
    std::string_view name = kLevelNames[static_cast<std::size_t>(level)];
    if (format == LogFormat::kJson) {
        nlohmann::json line{{"level", name}, {"msg", message}, {"time", timestamp(time)}};
        return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
    return "time=\"" + timestamp(time) + "\" level=" + std::string(name) +
           " msg=" + (needs_quotes(message) ? quoted(message) : std::string(message)) + "\n";
}

LogSettings log_settings(const Invocation &invocation) {
    return {invocation.log, invocation.log_format, invocation.debug, invocation.verb == "restore"};
}

Result<void> open_log(const LogSettings &settings) {
    Log &log = the_log();
    log.settings = settings;
    log.file.reset();
    if (settings.file.empty()) return {};
    HRUNC_ASSIGN_IN(log.file, open_file(settings.file, O_CREAT | O_WRONLY | O_APPEND | O_SYNC | O_NOCTTY, 0644),
                    "--log");
    return {};
}

Result<void> open_debug_log(const std::string &path) {
    Log &log = the_log();
    log.debug_file.reset();
    if (path.empty()) return {};
    HRUNC_ASSIGN_IN(log.debug_file, open_file(path, O_CREAT | O_WRONLY | O_APPEND | O_NOCTTY | O_NOFOLLOW, 0600),
                    "debug log");
    return {};
}

void log(LogLevel level, std::string_view message) {
    log_as(level, message, false);
}

int fatal(const Error &error) {
    log_as(LogLevel::kError, error.text(), true);
    const Log &log = the_log();
    if (log.file && !log.settings.stderr_is_the_containers) write_to_stderr(error.text() + "\n");
    return 1;
}

} // namespace hrunc::shim
