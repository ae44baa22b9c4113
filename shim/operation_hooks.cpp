#include "shim/operation_hooks.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>

#include "shim/criu_log.h"
#include "shim/log.h"

namespace hrunc::shim {

namespace {

constexpr unsigned kOldestMajor = 3, kOldestMinor = 17;

// criu_network_lock_method of CRIU's images/rpc.proto; 0: leave it to criu.
int to_criu(NetworkLock lock) {
    switch (lock) {
    case NetworkLock::kDefault:
        return 0;
    case NetworkLock::kIptables:
        return 1;
    case NetworkLock::kNftables:
        return 2;
    case NetworkLock::kSkip:
        return 3;
    }
    return 0;
}

Result<std::string> path_of(int descriptor) {
    std::array<char, PATH_MAX> path{};
    ssize_t length = readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path.data(), path.size());
    if (length < 0) return Error::system("find the path of a directory");
    return std::string(path.data(), static_cast<std::size_t>(length));
}

std::string without_line_feed(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

} // namespace

void OperationHooks::version(const criu_rpc::Version &version) {
    Result<void> noted = write_file_atomically(run_.file("criu-version"), to_text(version), 0600);
    if (!noted) log(LogLevel::kWarning, noted.error().text());
}

Result<void> OperationHooks::begin(criu_rpc::Options &options) {
    std::string version = run_.text("criu-version");
    if (!is_supported_criu(version))
        return Error(ErrorCode::kRefused, "criu \"" + run_.text("criu-path") + "\": version " + version +
                                              " is too old, 3.17 or later is needed");
    if (options.images_dir_fd() >= 0) {
        HRUNC_ASSIGN_IN(images_, path_of(options.images_dir_fd()), "image directory");
    } else {
        images_ = options.images_dir();
    }
    work_ = images_;
    if (options.has_work_dir_fd()) {
        HRUNC_ASSIGN_IN(work_, path_of(options.work_dir_fd()), "work directory");
    }
    log_file_ = options.log_file();
    configuration_ = options.config_file();
    HRUNC_TRY(run_.note_work_directory(work_directory()));

    if (context_.config.tcp == Tcp::kEstablished) options.set_tcp_established(true);
    if (context_.config.tcp == Tcp::kClose) options.set_tcp_close(true);
    // Those that nobody has accepted yet can only be dropped: without this, one more client at the wrong moment fails
    // the checkpoint.
    if (context_.config.tcp != Tcp::kRefuse) options.set_tcp_skip_in_flight(true);
    if (int lock = to_criu(context_.config.network_lock); lock != 0) options.set_network_lock(lock);
    return {};
}

Result<void> OperationHooks::use_images(criu_rpc::Options &options, const Fd &directory) {
    HRUNC_ASSIGN_IN(images_, path_of(directory.get()), "image directory");
    options.set_images_dir_fd(directory.get());
    return {};
}

Error OperationHooks::refused(Error error) const {
    if (Result<void> reported = run_.report(error.text()); !reported) log(LogLevel::kWarning, reported.error().text());
    return error;
}

std::string OperationHooks::work_directory() const {
    std::string configured_one = configuration_.empty() ? "" : configured(configuration_, "work-dir");
    return configured_one.empty() ? work_ : configured_one;
}

std::string OperationHooks::criu_log() const {
    std::string name = configuration_.empty() ? "" : configured(configuration_, "log-file");
    if (name.empty()) name = log_file_;
    return name.starts_with('/') ? name : work_directory() + "/" + name;
}

void OperationHooks::report_with_log(const std::string &reason) const {
    std::string text = "criu: " + reason;
    std::string name = context_.id + (context_.verb == "checkpoint" ? "-dump.log" : "-restore.log");
    Result<std::string> kept = keep_log(criu_log(), context_.config.log_directory, name);
    if (kept)
        text += "; log: \"" + *kept + "\"";
    else
        log(LogLevel::kWarning, "keep criu's log: " + kept.error().text());
    if (Result<void> reported = run_.report(text); !reported) log(LogLevel::kWarning, reported.error().text());
}

void OperationHooks::report_failure(const criu_rpc::Response &response) const {
    Result<std::string> text = read_file(criu_log(), kMaxCriuLog);
    std::string logged = text ? first_error(*text) : "";
    std::string told = first_error(response.cr_errmsg());
    if (told.empty() && logged.empty()) told = without_line_feed(response.cr_errmsg());
    std::string reason = logged;
    if (told != logged && !told.empty()) reason = logged.empty() ? told : told + "; " + logged;
    if (reason.empty()) reason = "failed with errno " + std::to_string(response.cr_errno());
    report_with_log(reason);
}

void OperationHooks::report_end_without_answer() const {
    Result<std::string> text = read_file(criu_log(), kMaxCriuLog);
    std::string logged = text ? first_error(*text) : "";
    report_with_log("ended without an answer" + (logged.empty() ? "" : "; " + logged));
}

std::string to_text(const criu_rpc::Version &version) {
    std::string text = std::to_string(version.major_number()) + "." + std::to_string(version.minor_number());
    if (version.has_sublevel()) text += "." + std::to_string(version.sublevel());
    return text;
}

bool is_supported_criu(std::string_view version) {
    unsigned major = 0, minor = 0;
    const char *end = version.data() + version.size();
    auto [after, error] = std::from_chars(version.data(), end, major);
    if (error != std::errc() || after == end || *after != '.') return true;
    if (std::from_chars(after + 1, end, minor).ec != std::errc()) return true;
    return major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor);
}

} // namespace hrunc::shim
