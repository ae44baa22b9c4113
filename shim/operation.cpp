#include "shim/operation.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "shim/capture.h"
#include "shim/log.h"
#include "shim/program.h"
#include "shim/runc_child.h"
#include "shim/step.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxVersionText = std::size_t{64} << 10;

// runc 1.1 starts the criu that --criu names. It is to find hrunc on its PATH, and hrunc starts the one named.
std::vector<std::string> without_criu_option(const std::vector<std::string> &argv, std::size_t verb_index) {
    std::vector<std::string> kept{"runc"};
    for (std::size_t at = 1; at < argv.size(); ++at) {
        bool global = at < verb_index;
        if (global && (argv[at] == "--criu" || argv[at] == "-criu"))
            ++at;
        else if (!global || !(argv[at].starts_with("--criu=") || argv[at].starts_with("-criu=")))
            kept.push_back(argv[at]);
    }
    return kept;
}

std::vector<std::string> environment_for(const RunDirectory &run, const Context &context) {
    std::vector<std::string> environment;
    for (char **at = environ; *at != nullptr; ++at)
        if (std::strncmp(*at, "PATH=", 5) != 0) environment.emplace_back(*at);
    environment.push_back("PATH=" + run.path() + (context.path && !context.path->empty() ? ":" + *context.path : ""));
    environment.push_back(std::string(kRunDirectoryVariable) + "=" + run.path());
    return environment;
}

// A criu that cannot even be started says so to runc only by its end.
std::string why_criu_does_not_start(const RunDirectory &run) {
    std::string path = run.text("criu-path");
    if (path.empty() || !run.text("criu-version").empty()) return "";
    Result<Captured> said = capture("/bin/sh", {"sh", "-c", "exec \"$0\" --version 2>&1", path}, kMaxVersionText);
    if (!said || said->exit_code == 0) return "";
    return "criu \"" + path + "\": " + said->output.substr(0, said->output.find('\n'));
}

std::string reason_of_failure(const RunDirectory &run, const RuncEnd &end, bool relay_was_killed) {
    if (std::optional<std::string> reported = run.reported()) return *reported;
    if (relay_was_killed) return "the relay between runc and criu was killed";
    if (WIFSIGNALED(end.status)) return std::string("runc: ") + strsignal(WTERMSIG(end.status));
    return why_criu_does_not_start(run);
}

// A runc that is killed while criu restores leaves its bind mount of the root file system.
void remove_restore_root(const Context &context) {
    std::string mount = context.root + "/" + context.id + "/criu-root";
    if (umount2(mount.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) rmdir(mount.c_str());
}

void clean_up(RunDirectory &run, const Context &context, const RuncEnd &end) {
    if (Result<void> undone = run.undo(); !undone)
        log(LogLevel::kWarning, "let the container run on: " + undone.error().text());
    if (end.succeeded()) return;
    if (context.verb == "restore") run.kill_restored();
    if (Result<void> removed = run.remove_criu_mounts(); !removed) log(LogLevel::kWarning, removed.error().text());
    if (context.verb == "restore" && WIFSIGNALED(end.status)) remove_restore_root(context);
}

Result<RuncEnd> run_with(const RunDirectory &run, const Invocation &invocation, const Context &context, bool capture) {
    HRUNC_ASSIGN(std::string runc, find_program(context.config.runc, "runc"));
    // Beside the real work; a manifest without runc's version is one still.
    Result<pid_t> version = start_into_file(runc, {"runc", "--version"}, run.file("runc-version"));
    Result<RuncEnd> end = run_runc(
        {runc, without_criu_option(invocation.argv, invocation.verb_index), environment_for(run, context), capture});
    int status = 0;
    if (version) waitpid(*version, &status, 0);
    return end;
}

void complete(Context &context, const Invocation &invocation) {
    context.verb = invocation.verb;
    context.id = invocation.container_id;
    context.root = invocation.root;
    context.log = invocation.log;
    context.log_format = invocation.log_format;
    context.debug = invocation.debug;
    if (const char *path = std::getenv("PATH")) context.path = path;
    if (!invocation.criu.empty()) context.config.criu = invocation.criu;
}

} // namespace

int run_operation(const Invocation &invocation, Context context, bool capture) {
    complete(context, invocation);
    std::string act = context.verb + " \"" + context.id + "\"";
    if (Result<void> opened = open_debug_log(context.config.debug_log); !opened) return fatal(opened.error());
    Result<RunDirectory> run = RunDirectory::create(context);
    if (!run) return fatal(std::move(run).error().in(act));

    std::optional<Step> step(act);
    Result<RuncEnd> end = run_with(*run, invocation, context, capture);
    run->wait_for_others();
    step.reset();
    bool relay_was_killed = run->was_left_in_the_middle();
    clean_up(*run, context, end ? *end : RuncEnd{1, "", ""});
    std::string reason;
    if (end && !end->succeeded()) reason = reason_of_failure(*run, *end, relay_was_killed);
    if (Result<void> removed = run->remove(); !removed) log(LogLevel::kWarning, removed.error().text());

    if (!end) return fatal(std::move(end).error().in(act));
    if (!reason.empty()) static_cast<void>(fatal(Error(ErrorCode::kPeer, act + ": " + reason)));
    std::fputs(end->output.c_str(), stdout);
    std::fflush(stdout);
    std::fputs(end->error.c_str(), stderr);
    return end_like(end->status);
}

} // namespace hrunc::shim
