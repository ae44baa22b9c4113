#include "migrate/migration.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <future>
#include <optional>

#include "migrate/checks.h"
#include "migrate/container.h"
#include "migrate/dump.h"
#include "migrate/engine.h"
#include "migrate/files.h"
#include "migrate/image_gate.h"
#include "migrate/journal.h"
#include "migrate/page_hashes.h"
#include "migrate/predump.h"
#include "migrate/settle.h"
#include "migrate/transfer.h"
#include "oci/fields.h"
#include "oci/image_store.h"

namespace hrunc::migrate {

namespace {

using oci::Json;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<std::string> random_name() {
    std::uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return Error::system("getrandom");
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%08x", number);
    return std::string(text.data());
}

// The shared ssh connection, for as long as it is needed.
class Connection {
  public:
    static Result<Connection> open(const Host &host) {
        HRUNC_TRY(host.connect());
        return Connection(host);
    }
    Connection(Connection &&other) noexcept : host_(std::exchange(other.host_, nullptr)) {}
    Connection &operator=(Connection &&) = delete;
    ~Connection() {
        DisregardedInterrupts disregarded;
        if (host_ != nullptr) host_->disconnect();
    }

  private:
    explicit Connection(const Host &host) : host_(&host) {}
    const Host *host_;
};

class Migration {
  public:
    Migration(const Request &request, const Progress &progress, Container container, JournalDirectory directory)
        : request_(request), progress_(progress), container_(std::move(container)), directory_(std::move(directory)) {}

    Result<Report> run();

  private:
    Result<void> check();
    Result<void> send_image();
    Result<void> move();
    Result<void> create_target();
    Result<void> prepare_target();
    Result<void> send_memory();
    Result<void> send_files_ahead();
    Result<void> send_changed_files();
    void begin_restore();
    void withdraw_restore();
    Result<Dump> begin_dump();
    Result<void> send_images(const PageHashes &hashes);
    Result<void> start_target();
    Result<void> enter(Phase phase);
    Result<Report> settled(const Error &error);
    Counter counter(const std::string &act) {
        return [this, act](std::uint64_t bytes) { progress_(act, bytes); };
    }

    const Request &request_;
    const Progress &progress_;
    Container container_; // here
    JournalDirectory directory_;
    Host here_ = Host::here();
    Host there_ = Host::at(request_.host, request_.port, directory_.file("ssh"));
    Engine source_{here_}, target_{there_};
    Findings findings_;
    std::optional<Container> created_; // there
    Files files_;
    PreDump predump_;
    std::optional<ImageGate> gate_;      // there
    std::future<Result<void>> restored_; // valid while Docker there is at the restore
    Journal journal_;
    Report report_;
};

Result<void> Migration::enter(Phase phase) {
    if (interrupted()) return Error(ErrorCode::kRefused, "interrupted");
    journal_.phase = phase;
    return directory_.write(journal_);
}

Result<void> Migration::check() {
    progress_("checking both hosts", 0);
    HRUNC_ASSIGN(findings_, find_out(source_, target_, container_, report_.name));
    findings_.image_comes = !request_.image_file.empty();
    findings_.volumes_come = request_.volumes;
    report_.problems = problems_of(container_, report_.name, findings_);
    // That the daemon is this host's own, and not one that DOCKER_HOST leads to.
    if (std::string containers = findings_.source.docker_root + "/containers/" + container_.id;
        access(containers.c_str(), F_OK) != 0 && errno == ENOENT)
        report_.problems.push_back("here: there is no " + oci::in_quotes(containers) + ": Docker runs on another host");
    return {};
}

Result<void> Migration::send_image() {
    HRUNC_TRY(open_file(request_.image_file, O_RDONLY));
    std::string act = "sending image " + oci::in_quotes(request_.image_file);
    HRUNC_TRY_IN(run_joined(here_.command("exec cat " + shell_word(request_.image_file)),
                            there_.command("exec docker load"), counter(act)),
                 act);
    HRUNC_ASSIGN(findings_.image, target_.find("/images/" + container_.image + "/json"));
    findings_.image_comes = false;
    report_.problems = problems_of(container_, report_.name, findings_);
    return {};
}

Result<void> Migration::create_target() {
    progress_("creating the container " + there_.where(), 0);
    HRUNC_ASSIGN(Creation creation, creation_from(container_));
    HRUNC_TRY(enter(Phase::kPreparing));
    HRUNC_ASSIGN(Json made, target_.call("POST", "/containers/create?name=" + journal_.temporary_name, creation.body));
    HRUNC_ASSIGN(Json document, target_.call("GET", "/containers/" + journal_.temporary_name + "/json"));
    HRUNC_ASSIGN(created_, container_from(std::move(document)));
    report_.id = journal_.target_id = created_->id;
    if (request_.volumes)
        for (const Volume &volume : created_->volumes)
            if (!is_anonymous(volume)) journal_.volumes.push_back(volume.name);
    HRUNC_TRY(enter(Phase::kPreparing));
    std::string path = "/containers/" + journal_.target_id;
    HRUNC_TRY(target_.call("POST", path + "/rename?name=" + journal_.target_name));
    for (const auto &[network, endpoint] : creation.further_networks)
        HRUNC_TRY(target_.call("POST", "/networks/" + percent_encoded(network) + "/connect",
                               {{"Container", journal_.target_id}, {"EndpointConfig", endpoint}}));
    return {};
}

Result<void> Migration::send_files_ahead() {
    std::string act = "sending files ahead";
    progress_(act, 0);
    HRUNC_ASSIGN(files_, Files::between(container_, findings_.source.docker_root, *created_,
                                        findings_.target.docker_root, request_.volumes));
    HRUNC_ASSIGN(std::uint64_t bytes, files_.send_ahead(there_, counter(act)));
    report_.ahead_bytes += bytes;
    return {};
}

// When the container stands still.
Result<void> Migration::send_changed_files() {
    std::vector<Parcel> changed = files_.changed();
    if (changed.empty()) return {};
    std::string act = "sending changed files";
    progress_(act, 0);
    bool withdraw = restored_.valid() && files_.is_layer(changed.front());
    if (withdraw) withdraw_restore();
    HRUNC_ASSIGN(std::uint64_t bytes, send_directories(changed, Origin::kStill, there_, counter(act)));
    report_.sent_bytes += bytes;
    if (!withdraw) return {};
    HRUNC_ASSIGN(gate_, ImageGate::close_again(there_, created_->id));
    return {};
}

// Docker there is asked for the restore, and comes as far as it can without images.
void Migration::begin_restore() {
    restored_ = std::async(std::launch::async, [engine = target_.another(), id = journal_.target_id,
                                                checkpoint = journal_.checkpoint]() mutable {
        return restore(engine, id, checkpoint, Patience::kKnownHiccups);
    });
}

// What began too early ends, without a trace.
void Migration::withdraw_restore() {
    gate_.reset();
    if (restored_.valid()) static_cast<void>(restored_.get().ok());
}

// Again and again, until little has changed since the last time, or no less than before.
Result<void> Migration::send_memory() {
    constexpr std::uint64_t kLittle = std::uint64_t{8} << 20; // bytes
    HRUNC_TRY(make_image_store(source_, container_.id));
    HRUNC_ASSIGN(std::uint64_t init, oci::number_at(container_.document, "State.Pid", INT32_MAX));
    std::string store = oci::image_store(container_.id), act = "sending memory ahead";
    for (std::uint64_t before = UINT64_MAX;;) {
        progress_(act, 0);
        HRUNC_ASSIGN_IN(std::uint64_t bytes, predump_.add(static_cast<pid_t>(init), store), act);
        if (predump_.last().empty()) return {};
        std::vector<Parcel> parcels{
            {store + "/" + predump_.last(), oci::image_store(created_->id) + "/" + predump_.last(), Into::kNew}};
        HRUNC_ASSIGN(std::uint64_t sent, send_directories(parcels, Origin::kStill, there_, counter(act)));
        report_.ahead_bytes += sent;
        HRUNC_TRY(predump_.drop_pages(store));
        if (bytes <= kLittle || bytes > before / 2) return {};
        before = bytes;
    }
}

// All that can be done there while the container runs here.
Result<void> Migration::prepare_target() {
    HRUNC_ASSIGN(gate_,
                 ImageGate::make(there_, created_->id,
                                 checkpoint_directory(*created_, findings_.target.docker_root, journal_.checkpoint)));
    HRUNC_TRY(send_memory());
    HRUNC_TRY(send_files_ahead());
    if (findings_.shared_network) return {};
    // Docker there mounts the layer when it begins: after that, nothing more can come into it.
    if (!files_.layer_is_sent()) return {};
    progress_("preparing the restore", 0);
    begin_restore();
    for (;;) {
        if (restored_.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready) {
            HRUNC_TRY_IN(restored_.get(), "restore");
            return Error(ErrorCode::kPeer, "restore: it did not wait for the images: is hrunc there as old as here?");
        }
        HRUNC_ASSIGN(bool awaited, gate_->is_awaited());
        if (awaited) return {};
    }
}

Result<Dump> Migration::begin_dump() {
    progress_("checkpointing", 0);
    HRUNC_ASSIGN(std::string policy, oci::text_at(container_.restart_policy, "Name"));
    if (!policy.empty() && policy != "no")
        HRUNC_TRY(
            source_.call("POST", "/containers/" + container_.id + "/update", {{"RestartPolicy", {{"Name", "no"}}}}));
    HRUNC_TRY(enter(Phase::kDumping));
    return Dump::start(directory_, container_.id, journal_.checkpoint);
}

Result<void> Migration::send_images(const PageHashes &hashes) {
    std::string act = "sending the checkpoint";
    progress_(act, 0);
    std::string store = oci::image_store(container_.id), changed = store + "/changed";
    HRUNC_TRY_IN(predump_.subtract(store, changed, hashes), act);
    std::vector<Parcel> parcels{{changed, oci::image_store(created_->id), Into::kExisting}};
    HRUNC_ASSIGN(std::uint64_t bytes, send_directories(parcels, Origin::kStill, there_, counter(act)));
    report_.sent_bytes += bytes;
    return {};
}

Result<void> Migration::start_target() {
    progress_("restoring", 0);
    HRUNC_TRY(enter(Phase::kStarting));
    HRUNC_TRY(gate_->open());
    if (!restored_.valid()) begin_restore();
    HRUNC_TRY_IN(restored_.get(), "restore");
    return {};
}

Result<void> Migration::move() {
    HRUNC_TRY(create_target());
    HRUNC_TRY(prepare_target());
    auto start = std::chrono::steady_clock::now();
    HRUNC_ASSIGN(Dump dump, begin_dump());
    PageHashes hashes(oci::image_store(container_.id));
    HRUNC_TRY_IN(dump.until_parked(), "checkpoint");
    HRUNC_TRY(send_changed_files());
    HRUNC_TRY_IN(dump.until_complete(), "checkpoint");
    hashes.end();
    report_.dump = seconds_since(start);
    HRUNC_TRY(enter(Phase::kDumped));
    auto dumped = std::chrono::steady_clock::now();
    HRUNC_TRY(send_images(hashes));
    report_.send = seconds_since(dumped);
    auto sent = std::chrono::steady_clock::now();
    HRUNC_TRY(start_target());
    report_.restore = seconds_since(sent);
    report_.down = seconds_since(start);
    HRUNC_TRY(verify_running(target_, journal_.target_id));
    return enter(Phase::kStarted);
}

// After a failure: an error that says where the container runs now, or a report if it was moved all the same.
Result<Report> Migration::settled(const Error &error) {
    withdraw_restore();
    Result<Settled> end = settle(directory_, journal_, source_, target_);
    if (!end)
        return Error(error.code(), error.text() + "\nnot undone: " + end.error().text() +
                                       "\nwhen that is mended: hrunc migrate --recover");
    if (!end->moved) {
        std::string text = error.text() + "\nthe container runs here again";
        if (journal_.phase == Phase::kPreparing) text = error.text() + "\nthe container runs here as before";
        for (const std::string &note : end->notes) text += "\n" + note;
        return Error(error.code(), text);
    }
    report_.notes.push_back("went on after: " + error.text());
    return report_;
}

Result<Report> Migration::run() {
    report_.container = container_.name;
    report_.name = request_.name.empty() ? container_.name : request_.name;
    progress_("connecting to " + request_.host, 0);
    HRUNC_ASSIGN(Connection connection, Connection::open(there_));
    HRUNC_TRY(check());
    bool image_is_missing = !findings_.image && findings_.image_comes;
    if (report_.problems.empty() && image_is_missing && !request_.dry_run) HRUNC_TRY(send_image());
    if (!report_.problems.empty() || request_.dry_run) {
        there_.disconnect();
        HRUNC_TRY(directory_.remove());
        return report_;
    }
    HRUNC_ASSIGN(std::string token, random_name());
    journal_.source_id = container_.id;
    journal_.source_name = container_.name;
    journal_.restart_policy = container_.restart_policy;
    journal_.host = request_.host;
    journal_.port = request_.port;
    journal_.target_name = report_.name;
    journal_.temporary_name = journal_.checkpoint = "hrunc-" + token;
    journal_.keep_source = request_.keep_source;
    journal_.remove_volumes = request_.volumes;

    if (Result<void> moved = move(); !moved) return settled(moved.error());
    DisregardedInterrupts disregarded;
    progress_("removing the container here", 0);
    HRUNC_TRY_IN(finish(directory_, journal_, source_, target_),
                 "the container runs " + there_.where() + " now; what is left here, hrunc migrate --recover removes");
    if (request_.keep_source && journal_.restart_policy.value("Name", "no") != "no")
        report_.notes.emplace_back("the container here has no restart policy any more, so that it stays stopped");
    return report_;
}

// What a migration that was killed has left of this directory's container; nothing if there is nothing.
Result<std::optional<Settled>> settle_directory(JournalDirectory &directory) {
    HRUNC_ASSIGN(std::optional<Journal> journal, directory.read());
    if (!journal) return std::optional<Settled>();
    Host here = Host::here(), there = Host::at(journal->host, journal->port, directory.file("ssh"));
    there.disconnect();                                      // the killed one's
    Result<Connection> connection = Connection::open(there); // without it, what can be done here is done
    Engine source(here), target(there);
    HRUNC_ASSIGN(Settled settled, settle(directory, *journal, source, target));
    return std::optional<Settled>(std::move(settled));
}

std::string outcome(const std::string &host, const Settled &settled) {
    std::string text = settled.moved ? "it runs on " + host + " now" : "it runs here";
    for (const std::string &note : settled.notes) text += "; " + note;
    return text;
}

// The container, and the directory of its journal, from which an earlier migration is gone.
Result<Migration> prepare(const Request &request, const Progress &progress) {
    if (!is_container_name(request.container)) return Error(ErrorCode::kInvalid, "that is no name of a container");
    if (!request.name.empty() && !is_container_name(request.name))
        return Error(ErrorCode::kInvalid,
                     "--name " + oci::in_quotes(request.name) + ": that is no name of a container");
    Host here = Host::here();
    for (bool first = true;; first = false) {
        Engine engine(here);
        HRUNC_ASSIGN(Json document, engine.call("GET", "/containers/" + request.container + "/json"));
        HRUNC_ASSIGN(Container container, container_from(std::move(document)));
        HRUNC_ASSIGN(JournalDirectory directory, JournalDirectory::open(journal_root(), container.id));
        HRUNC_ASSIGN(std::optional<Journal> left, directory.read());
        if (!left) return Migration(request, progress, std::move(container), std::move(directory));
        if (!first) return Error(ErrorCode::kRefused, "an earlier migration to " + left->host + " is not undone yet");
        progress("settling what an earlier migration has left", 0);
        HRUNC_ASSIGN_IN(std::optional<Settled> settled, settle_directory(directory), "an earlier migration");
        if (settled && settled->moved)
            return Error(ErrorCode::kRefused, "an earlier migration is done: " + outcome(left->host, *settled));
    }
}

} // namespace

Result<Report> migrate(const Request &request, const Progress &progress) {
    HeldInterrupts held;
    HRUNC_ASSIGN(Migration migration, prepare(request, progress));
    return migration.run();
}

Result<Recovery> recover() {
    HeldInterrupts held;
    Recovery recovery;
    HRUNC_ASSIGN(std::vector<std::string> names, JournalDirectory::list(journal_root()));
    for (const std::string &name : names) {
        Result<JournalDirectory> directory = JournalDirectory::open(journal_root(), name);
        Result<std::optional<Journal>> journal =
            directory ? directory->read() : Result<std::optional<Journal>>(directory.error());
        if (journal && !*journal) {
            HRUNC_TRY(directory->remove());
            continue;
        }
        std::string line = journal ? (*journal)->source_name : name;
        Result<std::optional<Settled>> settled =
            journal ? settle_directory(*directory) : Result<std::optional<Settled>>(journal.error());
        line += ": " + (settled ? outcome((*journal)->host, **settled) : settled.error().text());
        recovery.failed = recovery.failed || !settled;
        recovery.lines.push_back(line);
    }
    return recovery;
}

} // namespace hrunc::migrate
