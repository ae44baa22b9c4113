#include <cstdio>
#include <limits>

#include "oci/json.h"
#include "recode/recode.h"
#include "shim/command_line.h"
#include "shim/notify.h"
#include "shim/verbs.h"

namespace hrunc::shim {

namespace {

struct Options {
    pid_t pid = 0;
    std::string target;
    double timeout = 10; // seconds
    bool undo = false, json = false;
};

void describe(CLI::App &app, Options &options) {
    app.add_option("--timeout", options.timeout, "seconds to wait for the process (default: 10)")
        ->type_name("S")
        ->check(CLI::Range(0.001, 3600.0));
    app.add_flag("--undo", options.undo, "take a request back, and let the process run on here");
    app.add_flag("--json", options.json, "report as JSON");
    app.add_option("PID", options.pid, "the process")
        ->required()
        ->option_text(" ")
        ->check(CLI::Range(1, std::numeric_limits<pid_t>::max()));
    app.add_option("ARCH", options.target, "ISA that it is to go on with: x86-64 or aarch64; not with --undo")
        ->option_text(" ");
    app.footer(
        "The process is left stopped where it can be dumped; SIGCONT or --undo lets it run on here. For a process\n"
        "outside containers: in one, a checkpoint does this.\n"
        "\n"
        "Examples:\n"
        "  hrunc notify 4711 aarch64 && criu dump --tree 4711 --images-dir checkpoint --shell-job\n"
        "  hrunc notify --undo 4711\n"
        "\n"
        "Exit code: 0 done, 1 failed, 2 a call that makes no sense.");
}

std::string_view abi_name(recode::Abi abi) {
    return abi == recode::Abi::kPopcorn ? "popcorn" : abi == recode::Abi::kPortable ? "portable" : "none";
}

int print_parked(const Options &options, const ParkedTask &task) {
    if (options.json) {
        oci::Json json{{"pid", task.pid},
                       {"comm", task.comm},
                       {"executable", task.executable},
                       {"abi", abi_name(task.abi)},
                       {"target", options.target}};
        std::fputs((oci::to_text(json, 2) + "\n").c_str(), stdout);
    } else {
        std::fputs(
            (std::to_string(task.pid) + " (" + task.comm + ") is stopped, ready for " + options.target + "\n").c_str(),
            stdout);
    }
    return 0;
}

} // namespace

int notify_main(const std::vector<std::string> &arguments) {
    CLI::App app("Brings a process to a point where it can migrate.", "hrunc notify");
    Options options;
    describe(app, options);
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;

    std::string act = "notify " + std::to_string(options.pid);
    if (options.undo) {
        Result<void> undone = notify_undo(options.pid);
        return undone ? 0 : report(std::move(undone).error().in(act));
    }
    std::optional<arch::Isa> target = arch::from_name(options.target);
    if (!target) {
        (void)report(Error(ErrorCode::kInvalid, act + ": ARCH " + oci::in_quotes(options.target) +
                                                    " is neither x86-64 nor aarch64; see \"hrunc help notify\""));
        return kUsageError;
    }
    options.target = arch::name(*target);
    std::chrono::milliseconds timeout(static_cast<std::int64_t>(options.timeout * 1000));
    Result<ParkedTask> parked = notify_process(options.pid, *target, timeout);
    if (!parked) return report(std::move(parked).error().in(act));
    return print_parked(options, *parked);
}

} // namespace hrunc::shim
