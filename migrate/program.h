// Programs as children: for their output, as a peer to talk to, and two of them joined by a stream that is counted.
//
// Each is in a process group of its own, so that Ctrl-C reaches hrunc alone, which then decides what has to end.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::migrate {

using Argv = std::vector<std::string>; // argv[0] is looked for on PATH

// While one of these lives, SIGINT, SIGTERM and SIGHUP only make interrupted() true, and SIGPIPE is ignored.
class HeldInterrupts {
  public:
    HeldInterrupts();
    ~HeldInterrupts();
    HeldInterrupts(const HeldInterrupts &) = delete;
    HeldInterrupts &operator=(const HeldInterrupts &) = delete;
};
bool interrupted();
// While one of these lives, interrupted() stays false: what is under way has to come to its end.
class DisregardedInterrupts {
  public:
    DisregardedInterrupts();
    ~DisregardedInterrupts();
    DisregardedInterrupts(const DisregardedInterrupts &) = delete;
    DisregardedInterrupts &operator=(const DisregardedInterrupts &) = delete;
};

struct Output {
    int exit_code = 0; // 128 + the signal's number where a signal ended it
    std::string out, err;
};

// Runs a program to its end, without input. More than `limit` bytes of output is an error; of its errors, the first few
// kB are kept.
Result<Output> run_program(const Argv &argv, std::size_t limit);
// The same, where anything but exit code 0 is an error that has the first line of what it said.
Result<std::string> output_of(const Argv &argv, std::size_t limit);

// Runs a program with this process's terminal; gives its exit code.
Result<int> run_on_terminal(const Argv &argv);

// A program that is spoken to over its stdin and stdout; ended when the object goes.
class Peer {
  public:
    static Result<Peer> start(const Argv &argv);
    Peer(Peer &&other) noexcept;
    Peer &operator=(Peer &&other) noexcept;
    ~Peer();

    Result<void> say(std::string_view bytes);
    // Waits for some bytes; 0 is the end. An error if interrupted.
    Result<std::size_t> hear(char *into, std::size_t size);
    // What it has said on stderr, its first line; empty if nothing.
    std::string complaint() const;

  private:
    Peer(pid_t pid, Fd in, Fd out, Fd err)
        : pid_(pid), in_(std::move(in)), out_(std::move(out)), err_(std::move(err)) {}

    pid_t pid_ = 0;
    Fd in_, out_, err_;
};

// Called now and then with the bytes that have gone through so far.
using Counter = std::function<void(std::uint64_t bytes)>;

// FROM's stdout to TO's stdin until it ends; both have to end with 0. Gives the number of bytes. An error if
// interrupted.
Result<std::uint64_t> run_joined(const Argv &from, const Argv &to, const Counter &counter);

} // namespace hrunc::migrate
