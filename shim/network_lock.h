// Keeps a container's network quiet while it is put together for a restore.
//
// criu locks the network of a restored container after its client has attached the interfaces ("setup-namespaces",
// where runc calls the engine's hooks). What arrives in between, and attaching itself makes it arrive, meets no socket,
// and the kernel resets the connection that the client was promised to keep.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::shim {

// From here on the network namespace of the process `task` delivers nothing that arrives, from loopback neither. That
// lasts until the descriptor is closed, by whatever end this program comes to: the nf_tables table that does it belongs
// to it. The caller's own namespace is refused. Needs CAP_NET_ADMIN over that namespace and Linux 5.12 with nf_tables.
Result<Fd> lock_network_of(pid_t task);

} // namespace hrunc::shim
