// hrunc as runc's criu: it puts the relay between runc and the real criu, and becomes the latter.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "criu-rpc/handoff.h"
#include "shim/cgroups.h"
#include "shim/config.h"
#include "shim/dump_hooks.h"
#include "shim/log.h"
#include "shim/program.h"
#include "shim/restore_hooks.h"
#include "shim/run_directory.h"

namespace hrunc::shim {

namespace {

constexpr int kNotStarted = 127; // as a shell says it

Error start_criu(const std::string &path, int argc, char **argv) {
    std::vector<char *> arguments{const_cast<char *>("criu")};
    for (int at = 1; at < argc; ++at) arguments.push_back(argv[at]);
    arguments.push_back(nullptr);
    execv(path.c_str(), arguments.data());
    return Error::system("start criu \"" + path + "\"");
}

// Called under the name criu by somebody else than runc below hrunc.
int be_criu(int argc, char **argv) {
    Result<Config> config = load_config(config_file(), {});
    if (!config) return fatal(config.error());
    Result<std::string> path = find_program(config->criu, "criu");
    if (!path) return fatal(path.error());
    return fatal(start_criu(*path, argc, argv));
}

void leave_the_containers_cgroup(const Fd &client) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
    if (Result<void> joined = join_cgroups_of(peer.pid); !joined)
        log(LogLevel::kWarning, "leave the container's cgroup: " + joined.error().text());
}

// In the relay's process. stderr is nobody's there, so all that it has to say goes into files.
void relay(const std::string &directory, pid_t criu, criu_rpc::Ends ends) {
    prctl(PR_SET_NAME, "hrunc-relay");
    Result<RunDirectory> run = RunDirectory::open(directory);
    if (!run) return;
    Result<Context> context = run->context();
    if (!context) return;
    if (!context->log.empty())
        static_cast<void>(open_log({context->log, context->log_format, context->debug, true}).ok());
    if (Result<void> opened = open_debug_log(context->config.debug_log); !opened)
        log(LogLevel::kWarning, opened.error().text());
    leave_the_containers_cgroup(ends.client);

    auto serve = [&](criu_rpc::Hooks &hooks) {
        Result<void> done = criu_rpc::Relay(std::move(ends), hooks).run();
        if (!done) static_cast<void>(run->report("relay: " + done.error().text()).ok());
    };
    if (context->verb == "checkpoint") {
        DumpHooks hooks(*run, *context);
        serve(hooks);
    } else {
        RestoreHooks hooks(*run, *context, criu);
        serve(hooks);
    }
}

// From here on the environment is as if hrunc were not there.
void restore_environment(const Context &context) {
    unsetenv(kRunDirectoryVariable);
    if (context.path)
        setenv("PATH", context.path->c_str(), 1);
    else
        unsetenv("PATH");
}

// Gives the error if this process did not become criu.
Error become_criu(const RunDirectory &run, const Context &context, int argc, char **argv) {
    restore_environment(context);
    HRUNC_ASSIGN(std::string path, find_program(context.config.criu, "criu"));
    HRUNC_TRY(write_file_atomically(run.file("criu-path"), path, 0600));
    if (argc == 3 && std::string_view(argv[1]) == "swrk") {
        std::string_view number = argv[2];
        int socket = -1;
        if (std::from_chars(number.data(), number.data() + number.size(), socket).ec != std::errc() || socket < 0)
            return Error(ErrorCode::kInvalid, "criu swrk \"" + std::string(number) + "\": not a descriptor");
        pid_t self = getpid();
        HRUNC_TRY(criu_rpc::hand_off(socket, [&](criu_rpc::Ends ends) { relay(run.path(), self, std::move(ends)); }));
    }
    // criu makes its images readable for everybody; they hold the memory of the container.
    if (context.verb == "checkpoint") umask(077);
    return start_criu(path, argc, argv);
}

} // namespace

int criu_main(int argc, char **argv) {
    const char *directory = std::getenv(kRunDirectoryVariable);
    if (directory == nullptr) return be_criu(argc, argv);
    Result<RunDirectory> run = RunDirectory::open(directory);
    if (!run) return fatal(run.error());
    Result<Context> context = run->context();
    if (!context) return fatal(context.error());
    Error error = become_criu(*run, *context, argc, argv);
    static_cast<void>(run->report(error.text()).ok());
    static_cast<void>(fatal(error));
    return kNotStarted;
}

} // namespace hrunc::shim
