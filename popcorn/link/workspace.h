// A directory for intermediate files that goes with its owner, unless it is to be kept.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::link {

class Workspace {
  public:
    // In `keep`, which stays, or in a new directory beside the system's temporary files.
    static Result<Workspace> create(const std::string &keep);
    Workspace(Workspace &&other) noexcept;
    Workspace &operator=(Workspace &&) = delete;
    ~Workspace();

    std::string path(const std::string &name) const { return directory_ + "/" + name; }
    const std::string &directory() const { return directory_; }

  private:
    Workspace(std::string directory, bool keep) : directory_(std::move(directory)), keep_(keep) {}
    std::string directory_;
    bool keep_;
};

Result<void> write_file(const std::string &path, const std::string &text);

// Runs a program and waits; its messages go to ours. kPeer if it fails, having said why; kInternal, with the signal's
// name, if one ended it.
Result<void> run_tool(const std::vector<std::string> &command);

// From now on SIGINT, SIGTERM and SIGHUP, unless they are ignored, go to the program that run_tool() waits for, and
// run_tool() fails.
void catch_signals();
int caught_signal(); // 0: none

} // namespace hrunc::link
