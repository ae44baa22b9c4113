#include "migrate/dump.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migrate/engine.h"
#include "oci/fields.h"

namespace hrunc::migrate {

namespace {

constexpr std::size_t kMaxNote = 64 << 10; // bytes

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
    for (int number : {0, 1, 2}) dup2(null, number);
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

Result<void> dump(const JournalDirectory &directory, const std::string &container_id, const std::string &checkpoint) {
    std::string note_path = directory.file("dump.json");
    if (unlink(note_path.c_str()) != 0 && errno != ENOENT) return Error::system("remove " + oci::in_quotes(note_path));
    HRUNC_ASSIGN(Fd lock, open_file(directory.file("dump.lock"), O_RDWR | O_CREAT, 0600));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error::system("lock " + oci::in_quotes(directory.file("dump.lock")));
    pid_t child = fork();
    if (child < 0) return Error::system("fork");
    if (child == 0) dump_in_child(lock.get(), note_path, container_id, checkpoint);
    lock.reset(); // the child has it
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    HRUNC_ASSIGN(std::optional<DumpNote> note, read_note(note_path));
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
