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

// Runs a program and waits; its messages go to ours. kPeer if it fails.
Result<void> run_tool(const std::vector<std::string> &command);

} // namespace hrunc::link
