#include "migrate/settle.h"

#include <chrono>
#include <thread>

#include "migrate/dump.h"
#include "oci/fields.h"
#include "oci/image_store.h"

namespace hrunc::migrate {

namespace {

using oci::Json;

constexpr int kTries = 5, kPatientTries = 30;
constexpr std::size_t kMaxChatter = 4096; // bytes of output

void pause_for(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
}

std::string container_path(const std::string &id) {
    return "/containers/" + id;
}

struct Seen {
    bool there = false, running = false;
};

Result<Seen> look_at(Engine &engine, const std::string &id) {
    HRUNC_ASSIGN(std::optional<Json> document, engine.find(container_path(id) + "/json"));
    if (!document) return Seen{};
    HRUNC_ASSIGN(bool running, oci::flag_at(*document, "State.Running"));
    return Seen{true, running};
}

Result<void> remove_target(const Journal &journal, Engine &target) {
    // First the store: a restore that waits for it ends then, and Docker can remove the container.
    if (!journal.target_id.empty()) HRUNC_TRY(remove_image_store(target, journal.target_id));
    // While its id is not known, it has the name that nobody else uses.
    const std::string &name = journal.target_id.empty() ? journal.temporary_name : journal.target_id;
    HRUNC_TRY(target.find("DELETE", container_path(name) + "?force=1&v=1"));
    for (const std::string &volume : journal.volumes) HRUNC_TRY(target.find("DELETE", "/volumes/" + volume));
    return {};
}

Result<void> set_restart_policy(Engine &engine, const std::string &id, const Json &policy) {
    HRUNC_ASSIGN(std::string name, oci::text_at(policy, "Name"));
    if (name.empty() || name == "no") return {};
    HRUNC_TRY(engine.call("POST", container_path(id) + "/update", {{"RestartPolicy", policy}}));
    return {};
}

// An error where there is no such container.
Result<bool> has_checkpoint(Engine &engine, const std::string &id, const std::string &checkpoint) {
    HRUNC_ASSIGN(Json list, engine.call("GET", container_path(id) + "/checkpoints"));
    if (!list.is_array()) return false; // null: there are none
    for (const Json &one : list) {
        HRUNC_ASSIGN(std::string name, oci::text_at(one, "Name"));
        if (name == checkpoint) return true;
    }
    return false;
}

Result<void> remove_checkpoint(Engine &engine, const std::string &id, const std::string &checkpoint) {
    HRUNC_ASSIGN(bool has, has_checkpoint(engine, id, checkpoint));
    if (has) HRUNC_TRY(engine.call("DELETE", container_path(id) + "/checkpoints/" + checkpoint));
    return {};
}

// The source when its checkpoint is done or given up. Docker learns of the end of a container a moment after the
// checkpoint. Where nobody noted what became of it, Docker may still be at it: the checkpoint's directory is there from
// its beginning, and is removed if it fails.
Result<Seen> look_after_dump(Engine &source, const Journal &journal, const std::optional<DumpNote> &note) {
    constexpr int kPerSecond = 10, kArrives = 2 * kPerSecond, kEnds = 10 * kPerSecond, kWorks = 600 * kPerSecond;
    for (int looks = 0;; ++looks) {
        HRUNC_ASSIGN(Seen seen, look_at(source, journal.source_id));
        if (!seen.running || (note && !note->done)) return seen;
        int enough = kEnds;
        if (!note) {
            HRUNC_ASSIGN(bool works, has_checkpoint(source, journal.source_id, journal.checkpoint));
            enough = works ? kWorks : kArrives;
        }
        if (looks >= enough) return seen;
        pause_for(std::chrono::milliseconds(1000 / kPerSecond));
    }
}

// The source was running until somebody had it checkpointed.
Result<void> revive(const JournalDirectory &directory, const Journal &journal, Engine &source, Settled &settled) {
    HRUNC_ASSIGN(std::optional<DumpNote> note, wait_for_dump(directory));
    HRUNC_ASSIGN(Seen seen, look_after_dump(source, journal, note));
    if (!seen.there) return Error(ErrorCode::kRefused, "the container is gone");
    if (seen.running) return {};
    HRUNC_ASSIGN(bool has, has_checkpoint(source, journal.source_id, journal.checkpoint));
    if (has)
        return restore(source, journal.source_id, journal.checkpoint,
                       note ? Patience::kAnyFailure : Patience::kUnfinished);
    if (note && note->error.find("is not running") != std::string::npos) {
        settled.notes.emplace_back("it had ended by itself before");
        return {};
    }
    // Docker has ended the container, and could not keep the checkpoint: a restart is what is left.
    HRUNC_TRY(source.call("POST", container_path(journal.source_id) + "/start"));
    settled.notes.emplace_back("Docker lost its checkpoint: it was started afresh");
    return {};
}

Result<void> undo_source(const JournalDirectory &directory, Journal &journal, Engine &source, Settled &settled) {
    if (journal.phase != Phase::kPreparing) HRUNC_TRY(revive(directory, journal, source, settled));
    HRUNC_ASSIGN(Seen seen, look_at(source, journal.source_id));
    if (seen.there) HRUNC_TRY(set_restart_policy(source, journal.source_id, journal.restart_policy));
    journal.phase = Phase::kUndone;
    HRUNC_TRY(directory.write(journal));
    return seen.there ? remove_checkpoint(source, journal.source_id, journal.checkpoint) : Result<void>();
}

// Whether it runs there, for good.
Result<bool> target_runs(const Journal &journal, Engine &target) {
    HRUNC_ASSIGN(Seen seen, look_at(target, journal.target_id));
    return seen.running && verify_running(target, journal.target_id).ok();
}

} // namespace

Result<void> restore(Engine &engine, const std::string &id, const std::string &checkpoint, Patience patience) {
    for (int tries = 1;; ++tries) {
        Result<Json> started = engine.call("POST", container_path(id) + "/start?checkpoint=" + checkpoint);
        if (started) return {};
        // containerd's store says so now and then, of a "content sha256...".
        bool hiccup =
            started.error().text().find("already exists") != std::string::npos || patience != Patience::kKnownHiccups;
        int enough = patience == Patience::kUnfinished ? kPatientTries : kTries;
        if (!hiccup || tries == enough || interrupted()) return std::move(started).error();
        pause_for(std::chrono::seconds(1));
    }
}

Result<void> verify_running(Engine &engine, const std::string &id) {
    constexpr int kLooks = 5;
    for (int look = 0; look < kLooks; ++look) {
        if (look > 0) pause_for(std::chrono::milliseconds(200));
        HRUNC_ASSIGN(Seen seen, look_at(engine, id));
        if (!seen.running) return Error(ErrorCode::kPeer, "it ended right after the restore");
    }
    return {};
}

Result<void> make_image_store(const Engine &engine, const std::string &id) {
    std::string store = shell_word(oci::image_store(id));
    std::string script = "umask 077; rm -rf " + store + " && mkdir -p " + store;
    HRUNC_TRY_IN(output_of(engine.host().command(script), kMaxChatter), engine.host().where());
    return {};
}

Result<void> remove_image_store(const Engine &engine, const std::string &id) {
    // Under its name it is complete or not: a restore that waits for it must not find it without this or that.
    std::string store = shell_word(oci::image_store(id)), gone = shell_word(oci::image_store(id) + ".gone");
    std::string script =
        "rm -rf " + gone + " && if [ -e " + store + " ]; then mv " + store + " " + gone + " && rm -rf " + gone + "; fi";
    HRUNC_TRY_IN(output_of(engine.host().command(script), kMaxChatter), engine.host().where());
    return {};
}

Result<void> finish(JournalDirectory &directory, const Journal &journal, Engine &source, Engine &target) {
    HRUNC_TRY(wait_for_dump(directory)); // Docker may still be at its own part of the checkpoint
    HRUNC_ASSIGN(Seen there, look_at(target, journal.target_id));
    HRUNC_TRY(remove_image_store(target, journal.target_id));
    HRUNC_TRY(remove_image_store(source, journal.source_id));
    if (there.there) {
        HRUNC_TRY(set_restart_policy(target, journal.target_id, journal.restart_policy));
        HRUNC_TRY(remove_checkpoint(target, journal.target_id, journal.checkpoint));
    }
    HRUNC_ASSIGN(Seen here, look_at(source, journal.source_id));
    if (here.there && journal.keep_source) HRUNC_TRY(remove_checkpoint(source, journal.source_id, journal.checkpoint));
    // Not by force: if it runs, somebody has started it again.
    if (here.there && !journal.keep_source)
        HRUNC_TRY(source.find("DELETE", container_path(journal.source_id) + (journal.remove_volumes ? "?v=1" : "")));
    target.host().disconnect();
    return directory.remove();
}

Result<Settled> settle(JournalDirectory &directory, Journal journal, Engine &source, Engine &target) {
    DisregardedInterrupts disregarded;
    Settled settled;
    if (journal.phase == Phase::kStarting) {
        HRUNC_ASSIGN_IN(bool runs, target_runs(journal, target), "it is not known whether the container runs there");
        if (runs) {
            journal.phase = Phase::kStarted;
            HRUNC_TRY(directory.write(journal));
        } else {
            // Before the source starts: a start that is still on its way must find nothing.
            HRUNC_TRY_IN(remove_target(journal, target), "the container there cannot be removed");
        }
    }
    if (journal.phase == Phase::kStarted) {
        HRUNC_TRY(finish(directory, journal, source, target));
        settled.moved = true;
        return settled;
    }
    if (journal.phase != Phase::kUndone) HRUNC_TRY(undo_source(directory, journal, source, settled));
    HRUNC_TRY(remove_image_store(source, journal.source_id));
    if (Result<void> removed = remove_target(journal, target); !removed) {
        settled.notes.push_back("the container " + journal.temporary_name + " or " + journal.target_name +
                                " stays there, not started: " + removed.error().text());
        return settled; // the journal stays, too
    }
    target.host().disconnect();
    HRUNC_TRY(directory.remove());
    return settled;
}

} // namespace hrunc::migrate
