#include "migrate/dump.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "migrate/engine.h"
#include "oci/fields.h"
#include "oci/image_store.h"

namespace hrunc::migrate {

namespace {

constexpr std::size_t kMaxNote = 64 << 10; // bytes
constexpr std::chrono::milliseconds kLookEvery{5};

bool is_there(const std::string &store, const char *name) {
    return access((store + "/" + name).c_str(), F_OK) == 0;
}

bool is_parked(const std::string &store) {
    return is_there(store, oci::kDescriptors);
}

bool is_complete(const std::string &store) {
    return is_parked(store) && !is_there(store, oci::kIncomplete);
}

void close_all_but(int kept) {
    // Also the ends of pipes to programs of the parent: they are to see its end.
    for (auto [first, last] :
         {std::pair{3U, static_cast<unsigned>(kept) - 1}, std::pair{static_cast<unsigned>(kept) + 1, ~0U}})
        if (first <= last) syscall(SYS_close_range, first, last, 0);
}

void become_independent(int lock) {
    setsid();
    for (int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int number : {0, 1, 2})
        if (null >= 0) dup2(null, number);
    close_all_but(lock);
}

[[noreturn]] void dump_in_child(int lock, const std::string &note, const std::string &id,
                                const std::string &checkpoint) {
    become_independent(lock);
    Host here = Host::here();
    Engine engine(here);
    Result<oci::Json> made = engine.call("POST", "/containers/" + id + "/checkpoints",
                                         {{"CheckpointID", checkpoint}, {"CheckpointDir", ""}, {"Exit", true}});
    oci::Json document{{"done", made.ok()}};
    if (!made) document["error"] = made.error().text();
    Result<void> written = write_file_atomically(note, oci::to_text(document) + "\n", 0600);
    _exit(written ? 0 : 1);
}

Result<std::optional<DumpNote>> read_note(const std::string &path) {
    Result<oci::Json> json = oci::read_json(path, kMaxNote);
    if (!json && json.error().system_errno() == ENOENT) return std::optional<DumpNote>();
    if (!json) return std::move(json).error();
    DumpNote note;
    HRUNC_ASSIGN_IN(note.done, oci::flag_at(*json, "done"), oci::in_quotes(path));
    HRUNC_ASSIGN_IN(note.error, oci::text_at(*json, "error"), oci::in_quotes(path));
    return std::optional<DumpNote>(std::move(note));
}

} // namespace

Dump::Dump(Dump &&other) noexcept
    : note_path_(std::move(other.note_path_)), store_(std::move(other.store_)), child_(std::exchange(other.child_, 0)) {
}

Result<Dump> Dump::start(const JournalDirectory &directory, const std::string &container_id,
                         const std::string &checkpoint) {
    std::string note_path = directory.file("dump.json");
    if (unlink(note_path.c_str()) != 0 && errno != ENOENT) return Error::system("remove " + oci::in_quotes(note_path));
    HRUNC_ASSIGN(Fd lock, open_file(directory.file("dump.lock"), O_RDWR | O_CREAT, 0600));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error::system("lock " + oci::in_quotes(directory.file("dump.lock")));
    pid_t child = fork();
    if (child < 0) return Error::system("fork");
    if (child == 0) dump_in_child(lock.get(), note_path, container_id, checkpoint);
    return Dump(note_path, oci::image_store(container_id), child); // the child has the lock
}

Result<void> Dump::until(bool (*reached)(const std::string &store)) {
    while (!reached(store_)) {
        if (child_ == 0) return Error(ErrorCode::kPeer, oci::in_quotes(store_) + " has no images of it");
        if (waitpid(child_, nullptr, WNOHANG) == 0) {
            std::this_thread::sleep_for(kLookEvery);
            continue;
        }
        child_ = 0;
        HRUNC_TRY(until_done());
    }
    return {};
}

Result<void> Dump::until_parked() {
    return until(is_parked);
}

Result<void> Dump::until_complete() {
    return until(is_complete);
}

Result<void> Dump::until_done() {
    while (child_ != 0 && waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
    child_ = 0;
    HRUNC_ASSIGN(std::optional<DumpNote> note, read_note(note_path_));
    if (!note) return Error(ErrorCode::kPeer, "the process that made it was killed");
    return note->done ? Result<void>() : Error(ErrorCode::kPeer, note->error);
}

Result<std::optional<DumpNote>> wait_for_dump(const JournalDirectory &directory) {
    std::string path = directory.file("dump.lock");
    Result<Fd> lock = open_file(path, O_RDWR);
    if (!lock && lock.error().system_errno() == ENOENT) return std::optional<DumpNote>();
    if (!lock) return std::move(lock).error();
    while (flock(lock->get(), LOCK_EX) != 0)
        if (errno != EINTR) return Error::system("lock " + oci::in_quotes(path));
    return read_note(directory.file("dump.json"));
}

} // namespace hrunc::migrate
