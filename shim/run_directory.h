// One checkpoint or restore under way: a private directory with everything that the three processes taking part have
// to tell each other, and where recoded images lie while they are needed.
//
//     STATE/run.XXXXXX/            0700; locked (flock, shared) by every process that works for it
//         criu -> hrunc            first on runc's PATH
//         context.json             what hrunc was asked to do; written by the caller, read by the relay
//         criu-version             of the real criu, as it told runc
//         runc-version             the first line of runc --version
//         journal.json             how to undo a park; there only while the container is being parked, or is
//         work                     where criu works: a path
//         cgroup                   of a container that is being restored, as in /proc/PID/cgroup; until it is
//         images/                  recoded images; there only while criu reads them
//         report.json              why it failed, in words for people; there only if it did
//
// A directory that nobody has locked is what a killed hrunc left: the next one undoes and removes it.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "shim/config.h"
#include "shim/invocation.h"

namespace hrunc::shim {

inline constexpr const char *kRunDirectoryVariable = "HRUNC_RUN_DIRECTORY"; // in runc's environment

// What the relay has to know of the call that it works for. Paths are absolute.
struct Context {
    std::string verb; // "checkpoint" or "restore"
    std::string id;
    std::string root;   // runc's --root
    std::string bundle; // empty: unknown
    std::string log;    // --log; empty: none
    LogFormat log_format = LogFormat::kText;
    bool debug = false;
    std::optional<std::string> path; // PATH as hrunc found it; nothing: unset
    Config config;
};

class RunDirectory {
  public:
    // Makes one, after clearing away what killed calls have left in the same state directory.
    static Result<RunDirectory> create(const Context &context);
    // The one that `path` names, for a process that works for it. An error if it is about to be removed.
    static Result<RunDirectory> open(const std::string &path);

    const std::string &path() const { return path_; }
    std::string file(const std::string &name) const { return path_ + "/" + name; }
    std::string images() const { return file("images"); }

    Result<Context> context() const;
    // The first report stands: it is nearest to the cause.
    Result<void> report(const std::string &reason) const;
    std::optional<std::string> reported() const;

    Result<void> write_journal(const std::string &journal) const;
    bool has_journal() const;
    void remove_journal() const;
    Result<void> note_cgroup(const std::string &memberships) const;
    void forget_cgroup() const;
    Result<void> note_work_directory(const std::string &path) const;
    // Whether the relay was killed in the middle of a dump or restore. Only when nobody works for the directory.
    bool was_left_in_the_middle() const;
    // Kills what a restore has left half done, and removes its cgroup. Only right after that restore: later another
    // container may have the cgroup.
    void kill_restored() const;
    // Removes what a criu that has ended without finishing has left mounted. Nothing to do where none was at work.
    Result<void> remove_criu_mounts() const;
    // Releases what the journal says is parked, and removes the journal. Nothing to do without one.
    Result<void> undo() const;

    // A small text file, without its last line feed; empty where it is missing.
    std::string text(const std::string &name) const;
    void remove_images() const;
    // Waits until no other process works for it; a killed one counts as done.
    void wait_for_others() const;
    Result<void> remove();

  private:
    RunDirectory(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

    std::string path_;
    Fd lock_;
};

} // namespace hrunc::shim
