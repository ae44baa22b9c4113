// What a migration has done so far, on disk before it is done, so that whoever comes after a killed one can finish or
// undo it.
//
//     /var/lib/hrunc/migrate/ID/       0700; the first 12 digits of the container's id
//         journal.json
//         lock                         held (flock) by the process that works on this migration
//         dump.lock, dump.json         held by the process that has the checkpoint made; what became of it
//         ssh                          the socket of the shared connection
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/json.h"

namespace hrunc::migrate {

// Where the journals are: /var/lib/hrunc/migrate, or what HRUNC_MIGRATE_JOURNALS says.
std::string journal_root();

// Each is written before what it says begins.
enum class Phase {
    kPreparing, // the container is created on the target; the source runs
    kDumping,   // the source is being checkpointed
    kDumped,    // the source has ended, its checkpoint is on its way
    kStarting,  // the target is being restored: it may run or not
    kStarted,   // the target runs: the move is done, the source is to go
    kUndone,    // the source runs again; the target's container is to go
};
std::string_view phase_name(Phase phase);

struct Journal {
    Phase phase = Phase::kPreparing;
    std::string source_id, source_name;
    oci::Json restart_policy; // of the source before the migration
    std::string host;         // the target, for ssh
    unsigned port = 0;
    std::string target_name;
    // The name under which the target's container is created; it gets its own when its id stands here. So a container
    // that somebody else created is never taken for ours.
    std::string temporary_name;
    std::string target_id; // empty: not known yet
    std::string checkpoint;
    std::vector<std::string> volumes; // that the target's container brought with it
    bool keep_source = false, remove_volumes = false;
};
oci::Json json_from(const Journal &journal);
Result<Journal> journal_from(const oci::Json &json);

class JournalDirectory {
  public:
    // The one for this container, locked; made if it is not there. kRefused: another process works on it.
    static Result<JournalDirectory> open(const std::string &root, const std::string &container_id);
    // The names of those that are there.
    static Result<std::vector<std::string>> list(const std::string &root);

    std::string file(const std::string &name) const { return path_ + "/" + name; }

    Result<std::optional<Journal>> read() const; // nothing: there is none yet
    Result<void> write(const Journal &journal) const;
    Result<void> remove();
    // For a child that is to outlive this process: it must not hold the lock.
    int lock_descriptor() const { return lock_.get(); }

  private:
    JournalDirectory(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

    std::string path_;
    Fd lock_;
};

} // namespace hrunc::migrate
