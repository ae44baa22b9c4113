#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "oci/fields.h"
#include "shim/command_line.h"
#include "shim/daemon_file.h"
#include "shim/daemon_json.h"
#include "shim/docker.h"
#include "shim/program.h"
#include "shim/verbs.h"

namespace hrunc::shim {

namespace {

constexpr std::chrono::milliseconds kReloadPause{200};
constexpr int kReloadAttempts = 50;

struct Options {
    std::string file = kDockerConfig;
    bool remove = false, restart = false, dry_run = false, json = false;
};

struct Outcome {
    std::vector<DaemonJsonChange> changes;
    std::string backup;             // where the file is kept as it was; empty: nowhere
    std::string daemon;             // "reloaded", "restarted", "unchanged", "not running", "other file"
    bool restart_needed = false;    // for dockerd to take in all of the file
    std::string restart_command;    // where systemd started it
    std::vector<std::string> notes; // for people
};

void describe(CLI::App &app, Options &options) {
    app.add_option("--file", options.file, std::string("dockerd's configuration (default: ") + kDockerConfig + ")")
        ->type_name("FILE");
    app.add_flag("--remove", options.remove, "take out what an earlier setup put in");
    app.add_flag("--restart", options.restart, "restart dockerd where a reload is not enough");
    app.add_flag("--dry-run", options.dry_run, "say what would be done, and do nothing");
    app.add_flag("--json", options.json, "report as JSON");
    app.footer(
        "The runtime is this very program, at the path where it is installed. The file is kept as it was in\n"
        "FILE.before-hrunc until --remove. A restart of dockerd stops its containers, unless \"live-restore\" is set.\n"
        "\n"
        "Examples:\n"
        "  hrunc setup --restart\n"
        "  hrunc setup --remove --dry-run\n"
        "\n"
        "Exit code: 0 done, 1 failed, 2 a call that makes no sense.");
}

// dockerd starts that file as root, so nobody else may be able to change it.
Result<std::string> installed_path() {
    HRUNC_ASSIGN(std::string path, own_path());
    struct stat file{};
    if (stat(path.c_str(), &file) != 0) return Error::system("stat " + oci::in_quotes(path));
    if ((file.st_uid != 0 && file.st_uid != geteuid()) || (file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Error(ErrorCode::kRefused, oci::in_quotes(path) +
                                              ": others than root and who runs hrunc can write to "
                                              "it, and dockerd would run it as root: install it first");
    return path;
}

// The dockerd that reads the file, or nothing with the reason in `outcome`.
Result<std::optional<DockerDaemon>> daemon_of(const DaemonFile &file, Outcome &outcome) {
    Result<oci::Json> json = oci::parse_json(file.text());
    Result<std::string> named = json && json->is_object() ? oci::text_at(*json, "pidfile") : std::string();
    HRUNC_ASSIGN(std::optional<DockerDaemon> daemon,
                 DockerDaemon::find(named && !named->empty() ? *named : kDockerPidFile));
    outcome.daemon = "not running";
    if (!daemon) return daemon;
    struct stat ours{}, its{};
    bool same_path = daemon->config_file() == file.path();
    bool same_file = stat(file.path().c_str(), &ours) == 0 && stat(daemon->config_file().c_str(), &its) == 0 &&
                     ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
    if (same_path || same_file) {
        outcome.daemon = "unchanged";
        return daemon;
    }
    outcome.daemon = "other file";
    outcome.notes.push_back("the dockerd that runs reads " + oci::in_quotes(daemon->config_file()) +
                            ": it was left alone");
    return std::optional<DockerDaemon>();
}

// Docker refuses to start where its command line and the file say the same thing, even if they agree.
Result<Registration> registration_for(const std::string &path, const Options &options,
                                      const std::optional<DockerDaemon> &daemon) {
    Registration registration{path};
    if (!daemon || options.remove) return registration;
    if (daemon->option("add-runtime"))
        return Error(ErrorCode::kRefused, "dockerd is started with --add-runtime, beside which it allows no "
                                          "\"runtimes\" in its file: move that into the file, or start it with "
                                          "--add-runtime hrunc=" +
                                              path + " too");
    if (std::optional<std::string> experimental = daemon->option("experimental")) {
        if (*experimental != "true")
            return Error(ErrorCode::kRefused, "dockerd is started with --experimental=" + *experimental +
                                                  ": without it there is no docker checkpoint");
        registration.experimental = false;
    }
    return registration;
}

bool is_registration(const DaemonJsonChange &change) {
    return change.key == "runtimes" || change.key == "runtimes.hrunc";
}

Result<DaemonJsonEdit> edit_of(const DaemonFile &file, const Options &options, const Registration &registration,
                               Outcome &outcome) {
    std::string where = oci::in_quotes(file.path());
    if (!options.remove) {
        HRUNC_ASSIGN_IN(DaemonJsonEdit edit, register_runtime(file.text(), registration), where);
        return edit;
    }
    if (!file.backup()) {
        outcome.notes.push_back("no " + oci::in_quotes(file.backup_path()) + ": nothing here is from hrunc setup");
        return DaemonJsonEdit{file.text(), {}};
    }
    HRUNC_ASSIGN_IN(DaemonJsonEdit edit, unregister_runtime(file.text(), *file.backup(), registration), where);
    return edit;
}

Result<void> write(const DaemonFile &file, const DaemonJsonEdit &edit, const Options &options, Outcome &outcome) {
    // A backup from before an earlier registration, which somebody has taken out by hand, is of no use any more.
    bool fresh = !file.backup() || std::ranges::any_of(edit.changes, is_registration);
    if (!options.remove && !edit.changes.empty()) {
        if (fresh && !options.dry_run) HRUNC_TRY(file.keep_backup());
        outcome.backup = file.backup_path();
    }
    if (options.dry_run) return {};
    if (!edit.changes.empty()) {
        auto check = [&](const std::string &candidate) -> Result<void> {
            HRUNC_TRY_IN(validate_docker_config(candidate), oci::in_quotes(file.path()) + ": as it would be");
            return {};
        };
        Result<void> replaced = file.replace(edit.text, check);
        if (!replaced && !options.remove && !file.backup()) (void)file.remove_backup().ok();
        HRUNC_TRY(std::move(replaced));
    }
    return options.remove ? file.remove_backup() : Result<void>();
}

std::optional<DockerInfo> info_of_daemon() {
    std::optional<std::string> docker = find_on_path("docker");
    if (!docker) return std::nullopt;
    Result<DockerInfo> info = docker_info(*docker);
    return info ? std::optional(std::move(*info)) : std::nullopt;
}

bool knows(const DockerInfo &info, const std::string &path) {
    auto runtime = info.runtimes.find("hrunc");
    return runtime != info.runtimes.end() && runtime->second == path;
}

Result<void> reload(const DockerDaemon &daemon, const Options &options, const std::string &path, bool can_ask) {
    HRUNC_TRY(daemon.reload());
    for (int attempt = 0; can_ask && attempt < kReloadAttempts; ++attempt) {
        std::optional<DockerInfo> info = info_of_daemon();
        if (info && knows(*info, path) != options.remove) return {};
        std::this_thread::sleep_for(kReloadPause);
    }
    if (!can_ask) return {};
    return Error(ErrorCode::kPeer, "the file is written, but dockerd did not take it in at the reload: see its log");
}

// What is written is one thing, what the daemon knows another: an earlier call may have ended between the two.
Result<void> tell_daemon(const DockerDaemon &daemon, const Options &options, const Registration &registration,
                         Outcome &outcome) {
    std::optional<DockerInfo> info = info_of_daemon();
    bool experimental = false, stale = false; // as far as the changes tell
    for (const DaemonJsonChange &change : outcome.changes) (change.key == "experimental" ? experimental : stale) = true;
    if (options.remove) {
        // At a reload dockerd keeps its runtimes where the file has no "runtimes" any more.
        bool all_runtimes =
            std::ranges::find(outcome.changes, "runtimes", &DaemonJsonChange::key) != outcome.changes.end();
        outcome.restart_needed = all_runtimes || (experimental && (!info || info->experimental));
        stale = stale && !all_runtimes;
    } else {
        outcome.restart_needed = info ? !info->experimental : experimental;
        if (info) stale = !knows(*info, registration.path);
    }
    outcome.restart_command = daemon.restart_command();
    if (options.dry_run) return {};
    if (outcome.restart_needed && options.restart) {
        HRUNC_TRY_IN(daemon.restart(), "the file is written, but dockerd is not restarted");
        outcome.restart_needed = false;
        outcome.daemon = "restarted";
    } else if (stale) {
        HRUNC_TRY(reload(daemon, options, registration.path, info.has_value()));
        outcome.daemon = "reloaded";
    }
    return {};
}

Result<Outcome> set_up(Options &options) {
    Outcome outcome;
    HRUNC_ASSIGN(std::string path, options.remove ? own_path() : installed_path());
    HRUNC_ASSIGN(DaemonFile file, DaemonFile::open(options.file, !options.remove && !options.dry_run));
    options.file = file.path();
    HRUNC_ASSIGN(std::optional<DockerDaemon> daemon, daemon_of(file, outcome));
    HRUNC_ASSIGN(Registration registration, registration_for(path, options, daemon));
    HRUNC_ASSIGN(DaemonJsonEdit edit, edit_of(file, options, registration, outcome));
    outcome.changes = edit.changes;
    HRUNC_TRY(write(file, edit, options, outcome));
    if (daemon) HRUNC_TRY(tell_daemon(*daemon, options, registration, outcome));
    return outcome;
}

std::string as_json(const Options &options, const Outcome &outcome) {
    oci::Json changes = oci::Json::array();
    auto value = [](const std::string &text) { return text.empty() ? oci::Json() : oci::Json::parse(text); };
    for (const DaemonJsonChange &change : outcome.changes)
        changes.push_back({{"key", change.key}, {"before", value(change.before)}, {"after", value(change.after)}});
    oci::Json json{
        {"file", options.file},          {"dryRun", options.dry_run},
        {"changes", std::move(changes)}, {"backup", outcome.backup.empty() ? oci::Json() : oci::Json(outcome.backup)},
        {"daemon", outcome.daemon},      {"restartNeeded", outcome.restart_needed},
        {"notes", outcome.notes},
    };
    return oci::to_text(json, 2) + "\n";
}

std::string as_text(const Options &options, const Outcome &outcome) {
    std::string text;
    for (const DaemonJsonChange &change : outcome.changes) {
        std::string act = change.before.empty() ? "added " + change.key + ": " + change.after
                          : change.after.empty()
                              ? "removed " + change.key + ": " + change.before
                              : "changed " + change.key + ": from " + change.before + " to " + change.after;
        text += options.file + ": " + (options.dry_run ? "would have " : "") + act + "\n";
    }
    if (outcome.changes.empty()) text += options.file + ": nothing to change\n";
    if (!outcome.backup.empty())
        text += std::string(options.dry_run ? "would be kept" : "kept") + " as it was: " + outcome.backup + "\n";
    for (const std::string &note : outcome.notes) text += "note: " + note + "\n";
    if (outcome.daemon == "not running") text += "dockerd does not run; it reads the file when it starts\n";
    if (outcome.daemon == "reloaded" || outcome.daemon == "restarted") text += "dockerd is " + outcome.daemon + "\n";
    if (outcome.restart_needed)
        text += "dockerd takes in all of it at its next start only: " +
                (outcome.restart_command.empty() ? "restart it as it was started" : outcome.restart_command) + "\n";
    return text;
}

} // namespace

int setup_main(const std::vector<std::string> &arguments) {
    CLI::App app("Registers hrunc as a runtime of Docker, or takes that back.", "hrunc setup");
    Options options;
    describe(app, options);
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;

    Result<Outcome> done = set_up(options);
    if (!done) return report(std::move(done).error().in("setup"));
    std::fputs((options.json ? as_json(options, *done) : as_text(options, *done)).c_str(), stdout);
    return 0;
}

} // namespace hrunc::shim
