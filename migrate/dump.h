// The one step that nobody can do again: Docker's checkpoint, which ends the container. If who asked for it goes away,
// newer versions of Docker give it up in the middle, and the container may be lost. So a process of its own asks for
// it, which a signal to hrunc's process group or a closed terminal does not reach, and leaves a note of what became of
// it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "migrate/journal.h"

namespace hrunc::migrate {

class Dump {
  public:
    // The container has an image store (oci/image_store.h) for it.
    static Result<Dump> start(const JournalDirectory &directory, const std::string &container_id,
                              const std::string &checkpoint);
    Dump(Dump &&other) noexcept;
    Dump &operator=(Dump &&) = delete;
    ~Dump() = default; // it goes on without this object

    // Each waits for the next point; interrupts do not count meanwhile. An error if Docker has failed before.
    Result<void> until_parked();   // the container stands still
    Result<void> until_complete(); // its images are complete, and it has ended
    Result<void> until_done();     // Docker has its checkpoint, too

  private:
    Dump(std::string note_path, std::string store, pid_t child)
        : note_path_(std::move(note_path)), store_(std::move(store)), child_(child) {}
    Result<void> until(bool (*reached)(const std::string &store));

    std::string note_path_, store_;
    pid_t child_;
};

struct DumpNote {
    bool done = false;
    std::string error; // where it is not done
};
// Waits until no process is making the checkpoint any more. Nothing: there is no note, it was ended before its end.
Result<std::optional<DumpNote>> wait_for_dump(const JournalDirectory &directory);

} // namespace hrunc::migrate
