// How the relay gets between a client and the criu that the client believes it has started.
//
//     client ── fork, exec ─► this process ─────────────────── exec ──► criu (same process id)
//                                  │ fork, fork                           ▲
//                                  └─────► the relay ── new socket ───────┘
//
// The client knows the process id of what it started: it waits for it, and puts it into a container's cgroup. So this
// process becomes criu, and the relay is another one: a grandchild, because criu takes any child's death for one of
// its tasks'. The relay makes the new socket itself, so that it is the peer that criu asks for descriptors.
#pragma once

#include <functional>

#include "base/result.h"
#include "criu-rpc/relay.h"

namespace hrunc::criu_rpc {

// Starts a process that runs `relay` and ends; there, all descriptors but those of Ends are closed, stdin, stdout and
// stderr are /dev/null, and the session is a new one. Here, `socket` (the number of the client's socket) then is
// criu's end of the new socket and survives exec; the client's own is closed. Must be called while this process has no
// threads and no children. The working directory is kept.
Result<void> hand_off(int socket, const std::function<void(Ends)> &relay);

} // namespace hrunc::criu_rpc
