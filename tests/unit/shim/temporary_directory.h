#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace hrunc::shim {

// A directory of the test's own, gone when it ends.
class TemporaryDirectory : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    std::string path(const std::string &name) const { return directory_ + "/" + name; }
    void write(const std::string &name, const std::string &text, unsigned mode = 0644) const;
    static std::string read(const std::string &path);

    std::string directory_;
};

struct Outcome {
    int exit_code = 0; // 128 + the signal's number where a signal ended it
    pid_t pid = 0;
    std::string output, errors;
};

struct Call {
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment; // set beside this process's own
    std::string directory;                          // to run in; empty: here
    std::map<int, std::string> descriptors;         // opened for reading under these numbers
};

// Runs a program and waits for its end.
Outcome run(const Call &call);

} // namespace hrunc::shim
