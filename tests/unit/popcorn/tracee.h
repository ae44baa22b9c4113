// A migratable program under ptrace: the notifier's side of popcorn/popcorn_abi.h, and for a target that is the ISA it
// runs on also the recoder's, so that a move can be tried without criu.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "popcorn/popcorn_abi.h"

namespace hrunc::popcorn {

struct ElfSymbol {
    std::uint64_t address = 0, size = 0;
};
Result<std::map<std::string, ElfSymbol>> symbols_of(const std::string &executable);

#if defined(__x86_64__)
inline constexpr std::int64_t kHere = POPCORN_X86_64, kThere = POPCORN_AARCH64;
#else
inline constexpr std::int64_t kHere = POPCORN_AARCH64, kThere = POPCORN_X86_64;
#endif

class Tracee {
  public:
    // Starts the program, stopped before its first instruction. What it writes goes to the file `output`.
    static Result<Tracee> start(const std::vector<std::string> &command, const std::string &output);
    // A running process of that executable, not a child of this one; left stopped. It is not killed once detached.
    static Result<Tracee> attach(pid_t pid, const std::string &executable);
    Tracee(Tracee &&other) noexcept;
    Tracee &operator=(Tracee &&) = delete;
    ~Tracee(); // kills it

    pid_t pid() const { return pid_; }
    Result<void> stop();                   // a running task
    Result<void> ask(std::int64_t target); // a stopped task: writes the variable
    Result<void> run_until_parked();       // its other signals are delivered
    Result<void> go_on();                  // a stopped task: runs on, without a signal
    Result<void> detach();                 // a stopped task: runs on, untraced
    Result<int> wait_for_end();            // its exit status; -N when signal N ended it

    // At the stop of a task that was asked for its own ISA: the task gets the registers of regs_dst.
    Result<void> take_registers();

    Result<ElfSymbol> symbol(const std::string &name) const;
    template <typename T> Result<T> read(const std::string &name) const {
        T value{};
        HRUNC_TRY(read_bytes(name, &value, sizeof value));
        return value;
    }
    Result<void> read_memory(std::uint64_t address, void *bytes, std::size_t size) const;
    // Works for running tasks too. `offset` is in bytes.
    Result<void> write_word(const std::string &name, std::int64_t value, std::uint64_t offset = 0) const;

  private:
    Tracee(pid_t pid, std::map<std::string, ElfSymbol> symbols) : pid_(pid), symbols_(std::move(symbols)) {}
    Result<void> read_bytes(const std::string &name, void *bytes, std::size_t size) const;
    Result<int> wait_for_stop(); // the wait status
    Result<bool> is_parked(int status) const;

    pid_t pid_;
    bool is_child_ = true;
    std::map<std::string, ElfSymbol> symbols_;
};

} // namespace hrunc::popcorn
