// A small container for the tests: the test program as the first process of a pid namespace, in a cgroup of its own.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "shim/park.h"
#include "shim/process.h"
#include "tests/unit/park/watched.h"

namespace hrunc::shim::testing {

enum class Hierarchy { kNone, kVersion1, kVersion2 };

std::string name(Hierarchy hierarchy);
// Where cgroups of this kind can be made here; empty if nowhere.
std::string cgroup_root(Hierarchy hierarchy);

// Polls for as long as a loaded machine may need.
bool wait_for(const std::function<bool()> &condition);

class Container {
  public:
    // `modes` of program.c, one a process, separated by colons; returns when all of them run.
    Container(Hierarchy hierarchy, const std::string &modes, const std::string &program = "park_program");
    ~Container();
    Container(const Container &) = delete;
    Container &operator=(const Container &) = delete;

    pid_t init() const { return init_; }
    const std::string &cgroup() const { return cgroup_; }
    const std::string &program() const { return program_; }
    ParkRequest request() const; // with a timeout that is never reached unless a process does not answer
    watched_slot &slot(int index) const { return watched_->slots[index]; }
    pid_t pid_of(int slot) const; // as we see it

    bool goes_on(int slot) const; // its progress grows
    bool all_go_on() const;       // that of every process that the modes named, but for awkward ones
    std::vector<std::int64_t> progress() const;
    bool asked_to_freeze() const;
    bool frozen() const;
    void freeze() const;
    void thaw() const;
    std::int64_t variable(pid_t pid) const; // its __migrate_gb_variable
    bool nothing_pending() const;           // every process that has the variable has -1 in it

  private:
    void write_control(const std::string &file, const std::string &text) const;

    Hierarchy hierarchy_;
    std::string cgroup_, file_, program_;
    int slots_ = 1;
    pid_t init_ = 0;
    watched *watched_ = nullptr;
};

} // namespace hrunc::shim::testing
