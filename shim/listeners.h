// The listening TCP sockets of a container, while its connections are to be kept.
//
// A connection whose handshake is done and that the program has not accepted yet is in no image: criu leaves it out
// (tcp-skip-in-flight), and as the network is locked by then, its client never hears of that. So before the processes
// are asked to park, their listening sockets stop answering SYNs, which clients send again (after a second, RFC 6298),
// and the program accepts what is under way. When criu has locked the network, the sockets are set free again, before
// criu looks at them.
//
// The filter (SO_ATTACH_FILTER, socket(7)) that does it tells by itself what it is and holds the program's own filter,
// so that it can be taken off by anybody who finds it, should this program be killed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "shim/freezer.h"

namespace hrunc::shim {

class Listeners {
  public:
    // From here on no handshake begins at the listening sockets of these processes. On an error none is changed. A
    // socket whose filter cannot be changed (SO_LOCK_FILTER) or read (eBPF) is left as it is. Linux 5.6 or later.
    static Result<Listeners> hold(const std::vector<pid_t> &pids);
    // Waits until all handshakes in the network namespace of the process `init` have come to their ends and all
    // connections have been accepted, or until the deadline: a program that does not accept is no error. `list` gives
    // the processes that may have accepted them, whose sockets have inherited the filter: it is taken off them.
    Result<void> settle(pid_t init, Deadline deadline, const std::function<Result<std::vector<pid_t>>()> &list);
    // Handshakes begin again. Idempotent.
    Result<void> set_free();
    // Resets the connections that still wait to be accepted, through criu's network lock. For when the processes are
    // gone.
    void reset_waiting();

    // Takes the filter off the sockets of these processes, wherever it is found.
    static Result<void> set_free(const std::vector<pid_t> &pids);

  private:
    std::size_t waiting() const;

    std::vector<Fd> sockets_;   // copies of the container's
    std::set<ino_t> looked_at_; // every socket that was there when the handshakes were stopped
};

} // namespace hrunc::shim
