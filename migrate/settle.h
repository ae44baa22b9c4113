// The end of a migration: after its last step, after a failure, or after it was killed. Exactly one side runs
// afterwards.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "migrate/engine.h"
#include "migrate/journal.h"

namespace hrunc::migrate {

// Starts a container from a checkpoint that is in its place, and tries again what fails now and then. On the host where
// it was made any failure may pass: the pids of the processes that were checkpointed have to be reaped first; and if
// Docker was left alone with the checkpoint, it may still be writing it.
enum class Patience { kKnownHiccups, kAnyFailure, kUnfinished };
Result<void> restore(Engine &engine, const std::string &id, const std::string &checkpoint, Patience patience);
// A container that has been restored may end in its first moments.
Result<void> verify_running(Engine &engine, const std::string &id);

// Makes a container's image store (oci/image_store.h), empty, on the engine's host; removes it with what is in it.
Result<void> make_image_store(const Engine &engine, const std::string &id);
Result<void> remove_image_store(const Engine &engine, const std::string &id);

// What is left to do once the target runs and the journal says so (kStarted): the restart policy moves over, the source
// goes, and the journal.
Result<void> finish(JournalDirectory &directory, const Journal &journal, Engine &source, Engine &target);

struct Settled {
    bool moved = false;             // it runs on the target, and not on the source
    std::vector<std::string> notes; // what else has to be said
};
// Finishes a migration that got as far as a running target, and undoes every other. An error where that cannot be done:
// then nothing has been started that could run twice, and the journal stays for the next try.
Result<Settled> settle(JournalDirectory &directory, Journal journal, Engine &source, Engine &target);

} // namespace hrunc::migrate
