// The one step that nobody can do again: Docker's checkpoint, which ends the container. If who asked for it goes away,
// newer versions of Docker give it up in the middle, and the container may be lost. So a process of its own asks for
// it, which a signal to hrunc's process group or a closed terminal does not reach, and leaves a note of what became of
// it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "migrate/journal.h"

namespace hrunc::migrate {

// Makes the checkpoint, and waits. Interrupts do not count meanwhile.
Result<void> dump(const JournalDirectory &directory, const std::string &container_id, const std::string &checkpoint);

struct DumpNote {
    bool done = false;
    std::string error; // where it is not done
};
// Waits until no process is making the checkpoint any more. Nothing: there is no note, it was ended before its end.
Result<std::optional<DumpNote>> wait_for_dump(const JournalDirectory &directory);

} // namespace hrunc::migrate
