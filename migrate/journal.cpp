#include "migrate/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include "migrate/container.h"
#include "oci/fields.h"

namespace hrunc::migrate {

namespace {

constexpr std::size_t kMaxJournal = 64 << 10; // bytes
constexpr std::array kPhases{
    std::pair{Phase::kPreparing, "preparing"}, std::pair{Phase::kDumping, "dumping"},
    std::pair{Phase::kDumped, "dumped"},       std::pair{Phase::kStarting, "starting"},
    std::pair{Phase::kStarted, "started"},     std::pair{Phase::kUndone, "undone"},
};

Result<void> make_directory(const std::string &path, mode_t mode) {
    std::error_code failure;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failure);
    if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return Error::system("create " + oci::in_quotes(path));
    return {};
}

// A rename is on the disk when its directory is.
Result<void> sync_directory(const std::string &path) {
    HRUNC_ASSIGN(Fd directory, open_file(path, O_RDONLY | O_DIRECTORY));
    if (fsync(directory.get()) != 0) return Error::system("fsync " + oci::in_quotes(path));
    return {};
}

} // namespace

std::string journal_root() {
    const char *root = secure_getenv("HRUNC_MIGRATE_JOURNALS");
    return root != nullptr && root[0] == '/' ? root : "/var/lib/hrunc/migrate";
}

std::string_view phase_name(Phase phase) {
    for (const auto &[one, name] : kPhases)
        if (one == phase) return name;
    return "?";
}

oci::Json json_from(const Journal &journal) {
    return {
        {"phase", phase_name(journal.phase)},
        {"source", {{"id", journal.source_id}, {"name", journal.source_name}, {"restart", journal.restart_policy}}},
        {"host", journal.host},
        {"port", journal.port},
        {"target", {{"id", journal.target_id}, {"name", journal.target_name}, {"temporary", journal.temporary_name}}},
        {"checkpoint", journal.checkpoint},
        {"volumes", journal.volumes},
        {"keepSource", journal.keep_source},
        {"removeVolumes", journal.remove_volumes},
    };
}

Result<Journal> journal_from(const oci::Json &json) {
    Journal journal;
    HRUNC_ASSIGN(std::string phase, oci::text_at(json, "phase"));
    bool known = false;
    for (const auto &[one, name] : kPhases) {
        if (phase != name) continue;
        journal.phase = one;
        known = true;
    }
    if (!known) return Error(ErrorCode::kInvalid, "phase: " + oci::in_quotes(phase));
    HRUNC_ASSIGN(journal.source_id, oci::text_at(json, "source.id"));
    HRUNC_ASSIGN(journal.source_name, oci::text_at(json, "source.name"));
    HRUNC_ASSIGN(const oci::Json *restart, oci::find_member(json, "source.restart"));
    journal.restart_policy = restart != nullptr ? *restart : oci::Json::object();
    HRUNC_ASSIGN(journal.host, oci::text_at(json, "host"));
    HRUNC_ASSIGN(std::uint64_t port, oci::number_at(json, "port", 65535));
    journal.port = static_cast<unsigned>(port);
    HRUNC_ASSIGN(journal.target_id, oci::text_at(json, "target.id"));
    HRUNC_ASSIGN(journal.target_name, oci::text_at(json, "target.name"));
    HRUNC_ASSIGN(journal.temporary_name, oci::text_at(json, "target.temporary"));
    HRUNC_ASSIGN(journal.checkpoint, oci::text_at(json, "checkpoint"));
    HRUNC_ASSIGN(std::vector<const oci::Json *> volumes, oci::list_at(json, "volumes"));
    for (const oci::Json *volume : volumes) {
        if (!volume->is_string() || !is_container_name(volume->get_ref<const std::string &>()))
            return Error(ErrorCode::kInvalid, "volumes: a name is expected");
        journal.volumes.push_back(volume->get_ref<const std::string &>());
    }
    HRUNC_ASSIGN(journal.keep_source, oci::flag_at(json, "keepSource"));
    HRUNC_ASSIGN(journal.remove_volumes, oci::flag_at(json, "removeVolumes"));
    for (const std::string *name :
         {&journal.source_id, &journal.target_name, &journal.temporary_name, &journal.checkpoint})
        if (!is_container_name(*name)) return Error(ErrorCode::kInvalid, "name " + oci::in_quotes(*name));
    if (!journal.target_id.empty() && !is_container_name(journal.target_id))
        return Error(ErrorCode::kInvalid, "target: id " + oci::in_quotes(journal.target_id));
    if (journal.host.empty()) return Error(ErrorCode::kInvalid, "host: missing");
    return journal;
}

Result<JournalDirectory> JournalDirectory::open(const std::string &root, const std::string &container_id) {
    std::string path = root + "/" + container_id.substr(0, 12);
    for (;;) {
        HRUNC_TRY(make_directory(root, 0700));
        HRUNC_TRY(make_directory(path, 0700));
        Result<Fd> lock = open_file(path + "/lock", O_RDWR | O_CREAT, 0600);
        if (!lock && lock.error().system_errno() == ENOENT) continue; // removed between the two
        if (!lock) return std::move(lock).error();
        if (flock(lock->get(), LOCK_EX | LOCK_NB) != 0)
            return Error(ErrorCode::kRefused, "another hrunc migrate is at work on the container");
        struct stat status{};
        if (fstat(lock->get(), &status) != 0) return Error::system("lock " + oci::in_quotes(path));
        if (status.st_nlink > 0) return JournalDirectory(path, std::move(*lock));
    }
}

Result<std::vector<std::string>> JournalDirectory::list(const std::string &root) {
    std::vector<std::string> names;
    std::unique_ptr<DIR, int (*)(DIR *)> directory(opendir(root.c_str()), closedir);
    if (!directory && errno == ENOENT) return names;
    if (!directory) return Error::system("open " + oci::in_quotes(root));
    while (const dirent *entry = readdir(directory.get()))
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    return names;
}

Result<std::optional<Journal>> JournalDirectory::read() const {
    Result<oci::Json> json = oci::read_json(file("journal.json"), kMaxJournal);
    if (!json && json.error().system_errno() == ENOENT) return std::optional<Journal>();
    if (!json) return std::move(json).error();
    HRUNC_ASSIGN_IN(Journal journal, journal_from(*json), oci::in_quotes(file("journal.json")));
    return std::optional<Journal>(std::move(journal));
}

Result<void> JournalDirectory::write(const Journal &journal) const {
    HRUNC_TRY(write_file_atomically(file("journal.json"), oci::to_text(json_from(journal), 2) + "\n", 0600));
    return sync_directory(path_);
}

Result<void> JournalDirectory::remove() {
    HRUNC_ASSIGN(std::vector<std::string> names, list(path_)); // also what a killed process was writing
    // The journal first: what is left without it is nothing to undo. The lock last.
    std::stable_partition(names.begin(), names.end(), [](const std::string &name) { return name == "journal.json"; });
    std::stable_partition(names.begin(), names.end(), [](const std::string &name) { return name != "lock"; });
    for (const std::string &name : names)
        if (unlink(file(name).c_str()) != 0 && errno != ENOENT)
            return Error::system("remove " + oci::in_quotes(file(name)));
    if (rmdir(path_.c_str()) != 0) return Error::system("remove " + oci::in_quotes(path_));
    return {};
}

} // namespace hrunc::migrate
