// The two ends of a move: this host, and the one that ssh(1) leads to. Everything that is done on either is a POSIX
// shell script, so that both ends are the same to those who use them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "migrate/program.h"

namespace hrunc::migrate {

class Host {
  public:
    static Host here();
    // `destination` is ssh's, [USER@]HOST; `port` 0 is ssh's own choice. `socket` is where the shared connection's
    // socket will be; a path of less than 80 bytes.
    static Host at(std::string destination, unsigned port, std::string socket);

    // Opens the connection that all later commands share; ssh may ask for a password on the terminal. Without it, and
    // after it has broken, each command makes its own, and nothing is asked.
    Result<void> connect() const;
    void disconnect() const;

    // What runs the script there.
    Argv command(const std::string &script) const;
    // "here" or "on pi", for messages.
    std::string where() const;

  private:
    Argv ssh() const;

    std::string destination_; // empty: here
    unsigned port_ = 0;
    std::string socket_;
};

// As one word of a POSIX shell.
std::string shell_word(std::string_view text);

} // namespace hrunc::migrate
