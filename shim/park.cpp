#include "shim/park.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "oci/json.h"
#include "shim/freezer.h"
#include "shim/migratable.h"
#include "shim/parking.h"
#include "shim/process.h"

namespace hrunc::shim {

namespace {

constexpr int kJournalVersion = 1;
constexpr std::size_t kMaxJournal = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kReleaseTime{5'000};
constexpr std::chrono::milliseconds kAcceptTime{1'000}; // a client sends its SYN again after that

// Enough to undo: which requests are pending is found in the processes themselves, also in those forked since.
struct Journal {
    pid_t init = 0;
    std::uint64_t init_start = 0; // Process::start_time
    std::string freezer;
    bool was_frozen = false;
    bool listeners = false; // held
    arch::Isa target = arch::host();
};

std::string to_text(const Journal &journal) {
    oci::Json json;
    json["version"] = kJournalVersion;
    json["init"] = journal.init;
    json["init_start"] = journal.init_start;
    json["freezer"] = journal.freezer;
    json["was_frozen"] = journal.was_frozen;
    json["listeners"] = journal.listeners;
    json["target"] = std::string(arch::name(journal.target));
    return oci::to_text(json);
}

Result<Journal> parse_journal(const std::string &text) {
    auto flaw = [](const char *what) { return Error(ErrorCode::kInvalid, std::string("journal: ") + what); };
    if (text.size() > kMaxJournal) return flaw("larger than 65536 bytes");
    HRUNC_ASSIGN_IN(oci::Json json, oci::parse_json(text), "journal");
    Journal journal;
    try {
        if (json.at("version") != kJournalVersion) return flaw("of an unknown version");
        journal.init = json.at("init").get<pid_t>();
        journal.init_start = json.at("init_start").get<std::uint64_t>();
        journal.freezer = json.at("freezer").get<std::string>();
        journal.was_frozen = json.at("was_frozen").get<bool>();
        journal.listeners = json.value("listeners", false); // older ones have none
        std::optional<arch::Isa> target = arch::from_name(json.at("target").get<std::string>());
        if (!target) return flaw("unknown target");
        journal.target = *target;
    } catch (const oci::Json::exception &) {
        return flaw("a key is missing or of another type");
    }
    if (journal.init <= 0) return flaw("no pid");
    return journal;
}

bool means_gone(const Error &error) {
    return error.system_errno() == ENOENT || error.system_errno() == ENODEV;
}

Result<std::optional<Freezer>> open_freezer(const std::string &directory) {
    if (directory.empty()) return std::optional<Freezer>();
    HRUNC_ASSIGN(Freezer freezer, Freezer::open(directory));
    return std::optional<Freezer>(std::move(freezer));
}

// Some twice.
Result<std::vector<pid_t>> processes_of(const Journal &journal, const std::optional<Freezer> &freezer) {
    std::vector<pid_t> pids;
    HRUNC_ASSIGN(std::optional<Process> init, read_process(journal.init));
    if (init && init->start_time == journal.init_start) {
        HRUNC_ASSIGN(pids, process_tree(journal.init));
    }
    if (freezer) {
        HRUNC_ASSIGN(std::vector<pid_t> more, freezer->processes(kMaxProcesses));
        pids.insert(pids.end(), more.begin(), more.end());
    }
    return pids;
}

// A container that is frozen accepts nothing, however long one waits.
Result<Listeners> hold_listeners(const Journal &journal, const std::optional<Freezer> &freezer) {
    auto list = [&] { return processes_of(journal, freezer); };
    HRUNC_ASSIGN(std::vector<pid_t> pids, list());
    HRUNC_ASSIGN(Listeners listeners, Listeners::hold(pids));
    if (journal.was_frozen) return listeners;
    Result<void> settled = listeners.settle(journal.init, std::chrono::steady_clock::now() + kAcceptTime, list);
    if (settled) return listeners;
    Result<void> undone = listeners.set_free();
    return std::move(settled).error().in(undone ? "new connections" : undone.error().text());
}

// What is gone, or was never a task, needs nothing.
Result<void> release_process(pid_t pid, arch::Isa target, bool stopped) {
    HRUNC_ASSIGN(std::optional<Process> process, read_process(pid));
    if (!process || !process->alive()) return {};
    Result<Found> found = find_migratable(*process, target);
    if (!found || !found->migratable) return {};
    HRUNC_TRY(found->migratable->withdraw());
    if (!stopped || process->state != 'T') return {};
    // Only what stands at its migration point: others were stopped by somebody else.
    HRUNC_ASSIGN(bool ready, found->migratable->ready());
    if (ready) kill(pid, SIGCONT);
    return {};
}

Result<void> release(const Journal &journal) {
    Result<std::optional<Freezer>> opened = open_freezer(journal.freezer);
    if (!opened && means_gone(opened.error())) return {};
    HRUNC_ASSIGN(std::optional<Freezer> freezer, std::move(opened));
    const Deadline deadline = std::chrono::steady_clock::now() + kReleaseTime;
    Result<void> first;
    auto keep = [&first](auto result) {
        if (!result && first && !means_gone(result.error())) first = std::move(result).error();
    };
    // Frozen, none can fork between the list and the withdrawal. What does not freeze is served as it runs.
    if (freezer) keep(freezer->freeze(deadline));
    auto pids = processes_of(journal, freezer);
    if (pids && journal.listeners) keep(Listeners::set_free(*pids));
    if (pids)
        for (pid_t pid : *pids) keep(release_process(pid, journal.target, !freezer));
    keep(std::move(pids));
    if (freezer && !journal.was_frozen) keep(freezer->thaw(deadline));
    return first;
}

} // namespace

Result<Park> Park::park(const ParkRequest &request) {
    HRUNC_ASSIGN_IN(std::optional<Freezer> freezer, open_freezer(request.freezer), "park the container");
    HRUNC_ASSIGN_IN(std::optional<Process> init, read_process(request.init), "park the container");
    if (!init || !init->alive())
        return Error(ErrorCode::kPeer, "park the container: process " + std::to_string(request.init) + " is gone");
    Park park;
    if (freezer) {
        HRUNC_ASSIGN_IN(std::vector<pid_t> inside, freezer->processes(kMaxProcesses), "park the container");
        if (std::find(inside.begin(), inside.end(), getpid()) != inside.end())
            return Error(ErrorCode::kRefused,
                         "park the container: hrunc itself runs in cgroup \"" + request.freezer + "\"");
        HRUNC_ASSIGN_IN(park.was_frozen_, freezer->asked_to_freeze(), "park the container");
    }
    const Journal journal{request.init,     init->start_time,       request.freezer,
                          park.was_frozen_, request.hold_listeners, request.target};
    park.journal_ = to_text(journal);
    if (request.save_journal) HRUNC_TRY_IN(request.save_journal(park.journal_), "park the container");
    if (request.hold_listeners) {
        HRUNC_ASSIGN_IN(park.listeners_, hold_listeners(journal, freezer), "park the container");
    }
    Parking parking(request, std::move(freezer), park.was_frozen_, false);
    std::optional<Result<std::vector<ParkedTask>>> parked;
    std::thread([&] { parked = parking.run(); }).join();
    if (!*parked && park.listeners_) HRUNC_TRY_IN(park.listeners_->set_free(), "park the container");
    HRUNC_ASSIGN_IN(park.tasks_, std::move(*parked), "park the container");
    return park;
}

Result<void> Park::release() {
    if (released_) return {};
    HRUNC_TRY(release_by_journal(journal_));
    released_ = true;
    return {};
}

Result<void> Park::set_listeners_free() {
    return listeners_ ? listeners_->set_free() : Result<void>();
}

void Park::reset_unaccepted() {
    if (listeners_) listeners_->reset_waiting();
}

Result<void> Park::release_by_journal(const std::string &journal) {
    HRUNC_ASSIGN_IN(Journal parsed, parse_journal(journal), "release the container");
    HRUNC_TRY_IN(shim::release(parsed), "release the container");
    return {};
}

Result<void> Park::release_restored(pid_t init) {
    Result<void> first;
    HRUNC_ASSIGN(std::vector<pid_t> pids, process_tree(init));
    for (pid_t pid : pids) {
        Result<void> released = release_process(pid, arch::host(), false);
        if (!released && first && !means_gone(released.error())) first = std::move(released);
    }
    return first;
}

} // namespace hrunc::shim
