// One call of hrunc, as far as hrunc has to understand runc's command line: where the container's state lies, where to
// log, and what checkpoint and restore were asked to do. Everything else stays in `argv` for runc.
//
// runc's command line is urfave/cli's: global options before the verb; `-x` and `--x` are the same; `--x value`,
// `--x=value`; a boolean takes no value but `--x=false` is one. The options are those of runc 1.1 to 1.3.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::shim {

enum class LogFormat { kText, kJson };

struct Invocation {
    std::vector<std::string> argv; // as given, argv[0] included
    std::size_t verb_index = 0;    // of the verb in argv; argv.size() where there is none

    // Global options.
    std::string root; // absolute; runc's default where --root is missing. State is in ROOT/ID/state.json
    std::string log;  // --log; empty: stderr
    LogFormat log_format = LogFormat::kText;
    bool debug = false;
    std::string criu; // --criu; empty where missing. runc 1.1 honours it, later versions ignore it
    bool systemd_cgroup = false;
    std::string rootless = "auto";
    bool help = false, version = false; // --help, -h; --version, -v, before the verb

    std::string verb; // empty where there is none

    // Options of `checkpoint` and `restore`; not parsed for other verbs. Paths as given, relative to the working
    // directory; empty where missing.
    std::string image_path; // runc's default where missing: "./checkpoint", absolute
    std::string work_path;
    std::string parent_path; // relative to image_path
    std::string bundle;      // runc's default where missing: the working directory
    std::string pid_file;
    std::string console_socket;
    std::string page_server;
    bool detach = false;
    bool leave_running = false;
    bool pre_dump = false;
    bool tcp_established = false;
    bool lazy_pages = false;
    bool no_subreaper = false;
    bool verb_help = false;

    std::vector<std::string> arguments; // what is no option after the verb
    std::string container_id;           // arguments[0]; empty where there is not exactly one argument
};

// Never fails on what runc would have to judge (unknown options, a missing id): the fields then say less.
Invocation parse_invocation(std::vector<std::string> argv);

// The verbs that hrunc does itself. Each gives the exit code of the process.
int checkpoint_main(const Invocation &invocation);
int restore_main(const Invocation &invocation);
// hrunc under the name `criu`, as runc starts it: `criu swrk FD`. Everything else goes to the real criu by exec.
int criu_main(int argc, char **argv);

// Replaces this process by runc with the same arguments, descriptors and environment. Returns only if that failed.
Error exec_runc(const Invocation &invocation);

// The configured runc as an absolute path, as exec_runc would start it, for those who run it as a child.
Result<std::string> find_runc();

} // namespace hrunc::shim
