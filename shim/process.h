// What /proc says about processes, read as what it is: names in it are the container's choice.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "shim/freezer.h"

namespace hrunc::shim {

inline constexpr std::size_t kMaxProcesses = 4096; // of one container

struct Process {
    pid_t pid = 0;        // in our pid namespace
    pid_t pid_inside = 0; // in the innermost one that it is in
    pid_t parent = 0;
    pid_t group_leader = 0;       // the process, if `pid` is one of its threads
    pid_t tracer = 0;             // 0: nobody
    char state = '?';             // proc(5): R, S, D, T, t, Z, ...
    std::uint64_t start_time = 0; // clock ticks since boot: with the pid it names one process of this boot
    std::uint32_t threads = 1;
    std::string comm;       // printable
    std::string executable; // path in its mount namespace, printable; empty for a kernel thread or a zombie

    bool alive() const { return state != 'Z' && state != 'X'; }
    std::string described() const; // `process 7 (/bin/sh)`, the pid as seen inside
};

// Nothing if there is no such process or thread.
Result<std::optional<Process>> read_process(pid_t pid);

// Control characters, quotes and everything that is not ASCII as \xNN, cut after 256 characters.
std::string printable(const std::string &text);

// `init` and its descendants. While they run, the list can miss one that was forked a moment ago.
Result<std::vector<pid_t>> process_tree(pid_t init);

} // namespace hrunc::shim
