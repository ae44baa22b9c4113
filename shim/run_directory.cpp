#include "shim/run_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "oci/json.h"
#include "shim/cgroups.h"
#include "shim/criu_mounts.h"
#include "shim/log.h"
#include "shim/park.h"

namespace hrunc::shim {

namespace {

using oci::Json;

constexpr const char *kPrefix = "run.";
constexpr const char *kContext = "context.json";
constexpr const char *kJournal = "journal.json";
constexpr const char *kCgroup = "cgroup";
constexpr const char *kWork = "work";
constexpr const char *kReport = "report.json";
constexpr std::size_t kMaxText = std::size_t{1} << 20; // bytes of any of the directory's small files
constexpr std::size_t kMaxJournal = std::size_t{64} << 20;

Json to_json(const Config &config) {
    Json json = {
        {"criu", config.criu},
        {"notify_timeout", config.notify_timeout.count()},
        {"unmigratable", static_cast<int>(config.unmigratable)},
        {"tcp", static_cast<int>(config.tcp)},
        {"network_lock", static_cast<int>(config.network_lock)},
        {"state_directory", config.state_directory},
        {"log_directory", config.log_directory},
        {"debug_log", config.debug_log},
    };
    if (config.target) json["target"] = static_cast<int>(*config.target);
    return json;
}

Config config_from(const Json &json) {
    Config config;
    config.criu = json.at("criu").get<std::string>();
    config.notify_timeout = std::chrono::milliseconds(json.at("notify_timeout").get<std::int64_t>());
    config.unmigratable = static_cast<Unmigratable>(json.at("unmigratable").get<int>());
    config.tcp = static_cast<Tcp>(json.at("tcp").get<int>());
    config.network_lock = static_cast<NetworkLock>(json.at("network_lock").get<int>());
    config.state_directory = json.at("state_directory").get<std::string>();
    config.log_directory = json.at("log_directory").get<std::string>();
    config.debug_log = json.at("debug_log").get<std::string>();
    if (json.contains("target")) config.target = static_cast<arch::Isa>(json.at("target").get<int>());
    return config;
}

Json to_json(const Context &context) {
    Json json;
    json["verb"] = context.verb;
    json["id"] = context.id;
    json["root"] = context.root;
    json["bundle"] = context.bundle;
    json["log"] = context.log;
    json["log_format"] = static_cast<int>(context.log_format);
    json["debug"] = context.debug;
    json["config"] = to_json(context.config);
    if (context.path) json["path"] = *context.path;
    return json;
}

Context context_from(const Json &json) {
    Context context;
    context.verb = json.at("verb").get<std::string>();
    context.id = json.at("id").get<std::string>();
    context.root = json.at("root").get<std::string>();
    context.bundle = json.at("bundle").get<std::string>();
    context.log = json.at("log").get<std::string>();
    context.log_format = static_cast<LogFormat>(json.at("log_format").get<int>());
    context.debug = json.at("debug").get<bool>();
    if (json.contains("path")) context.path = json.at("path").get<std::string>();
    context.config = config_from(json.at("config"));
    return context;
}

// Between its making and its locking a directory can be taken for a stale one, and be removed.
bool still_there(const Fd &directory, const std::string &path) {
    struct stat held{}, named{};
    return fstat(directory.get(), &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

Result<void> make_state_directory(const std::string &path) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (mkdir(path.c_str(), 0700) == 0) return {};
    struct stat directory{};
    if (errno != EEXIST || lstat(path.c_str(), &directory) != 0)
        return Error::system("make the state directory \"" + path + "\"");
    // Whoever else could write to it could put something of his own in the place of a checkpoint's images.
    if (!S_ISDIR(directory.st_mode) || directory.st_uid != geteuid() || (directory.st_mode & 022) != 0)
        return Error(ErrorCode::kRefused,
                     "state directory \"" + path +
                         "\": must be a directory that only its owner, who runs hrunc, can write to");
    return {};
}

Result<Fd> lock_directory(const std::string &path, int how) {
    HRUNC_ASSIGN(Fd directory, open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (flock(directory.get(), how) != 0) return Error::system("lock \"" + path + "\"");
    return directory;
}

Result<void> remove_tree(const std::string &path) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return Error::system("remove \"" + path + "\"", error.value());
    return {};
}

std::vector<std::string> run_directories(const std::string &state_directory) {
    std::vector<std::string> paths;
    DIR *directory = opendir(state_directory.c_str());
    if (directory == nullptr) return paths;
    while (const dirent *entry = readdir(directory))
        if (std::string(entry->d_name).starts_with(kPrefix)) paths.push_back(state_directory + "/" + entry->d_name);
    closedir(directory);
    return paths;
}

} // namespace

Result<RunDirectory> RunDirectory::open(const std::string &path) {
    HRUNC_ASSIGN(Fd lock, lock_directory(path, LOCK_SH));
    if (!still_there(lock, path)) return Error(ErrorCode::kPeer, "\"" + path + "\": removed meanwhile");
    return RunDirectory(path, std::move(lock));
}

Result<RunDirectory> RunDirectory::create(const Context &context) {
    const std::string &state_directory = context.config.state_directory;
    HRUNC_TRY(make_state_directory(state_directory));
    for (const std::string &path : run_directories(state_directory)) {
        Result<Fd> lock = lock_directory(path, LOCK_EX | LOCK_NB);
        if (!lock) continue; // someone is at work there
        RunDirectory stale(path, std::move(lock).value());
        Result<void> undone = stale.undo();
        if (undone) undone = stale.remove_criu_mounts();
        if (undone) undone = remove_tree(path);
        if (!undone) log(LogLevel::kWarning, "clear away \"" + path + "\": " + undone.error().text());
    }

    constexpr int kAttempts = 10;
    std::optional<RunDirectory> run;
    for (int attempt = 0; !run; ++attempt) {
        std::string path = state_directory + "/" + kPrefix + "XXXXXX";
        if (mkdtemp(path.data()) == nullptr) return Error::system("make \"" + path + "\"");
        Result<RunDirectory> opened = open(path);
        if (opened)
            run = std::move(opened).value();
        else if (attempt == kAttempts)
            return std::move(opened).error();
    }
    std::error_code error;
    std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) std::filesystem::create_symlink(self, run->file("criu"), error);
    if (error) return Error::system("make \"" + run->file("criu") + "\"", error.value());
    HRUNC_TRY(write_file_atomically(run->file(kContext), oci::to_text(to_json(context)), 0600));
    return std::move(*run);
}

Result<Context> RunDirectory::context() const {
    HRUNC_ASSIGN(Json json, oci::read_json(file(kContext), kMaxText));
    try {
        return context_from(json);
    } catch (const Json::exception &exception) {
        return Error(ErrorCode::kInvalid, "\"" + file(kContext) + "\": " + exception.what());
    }
}

Result<void> RunDirectory::report(const std::string &reason) const {
    if (access(file(kReport).c_str(), F_OK) == 0) return {};
    return write_file_atomically(file(kReport), oci::to_text(Json{{"reason", reason}}), 0600);
}

std::optional<std::string> RunDirectory::reported() const {
    Result<Json> json = oci::read_json(file(kReport), kMaxText);
    if (!json || !json->is_object() || !json->contains("reason") || !(*json)["reason"].is_string()) return std::nullopt;
    return (*json)["reason"].get<std::string>();
}

Result<void> RunDirectory::write_journal(const std::string &journal) const {
    return write_file_atomically(file(kJournal), journal, 0600);
}

bool RunDirectory::has_journal() const {
    return access(file(kJournal).c_str(), F_OK) == 0;
}

void RunDirectory::remove_journal() const {
    unlink(file(kJournal).c_str());
}

Result<void> RunDirectory::note_cgroup(const std::string &memberships) const {
    return write_file_atomically(file(kCgroup), memberships, 0600);
}

void RunDirectory::forget_cgroup() const {
    unlink(file(kCgroup).c_str());
}

Result<void> RunDirectory::note_work_directory(const std::string &path) const {
    return write_file_atomically(file(kWork), path, 0600);
}

bool RunDirectory::was_left_in_the_middle() const {
    return has_journal() || access(file(kCgroup).c_str(), F_OK) == 0 || access(images().c_str(), F_OK) == 0;
}

void RunDirectory::kill_restored() const {
    if (std::string memberships = text(kCgroup); !memberships.empty())
        kill_all_in(parse_memberships(memberships), true);
    forget_cgroup();
}

Result<void> RunDirectory::remove_criu_mounts() const {
    std::string work = text(kWork);
    return work.empty() ? Result<void>() : shim::remove_criu_mounts(work);
}

Result<void> RunDirectory::undo() const {
    if (!has_journal()) return {};
    HRUNC_ASSIGN(std::string journal, read_file(file(kJournal), kMaxJournal));
    HRUNC_TRY(Park::release_by_journal(journal));
    remove_journal();
    return {};
}

std::string RunDirectory::text(const std::string &name) const {
    Result<std::string> bytes = read_file(file(name), kMaxText);
    if (!bytes) return "";
    std::string text = std::move(bytes).value();
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

void RunDirectory::remove_images() const {
    if (Result<void> removed = remove_tree(images()); !removed) log(LogLevel::kWarning, removed.error().text());
}

void RunDirectory::wait_for_others() const {
    while (flock(lock_.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
}

Result<void> RunDirectory::remove() {
    wait_for_others();
    return remove_tree(path_);
}

} // namespace hrunc::shim
