// Directories from this host to another, as one compressed stream.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "migrate/host.h"

namespace hrunc::migrate {

enum class Into {
    kNew,      // is made, with mode 0700; must not be there
    kExisting, // is filled; what it has of other names stays
    kEmptied,  // is emptied first
};

// Everything in FROM here into TO on `target`, as it is: owners by number, modes, times, hard links, devices (so
// overlayfs' whiteouts), holes, ACLs and extended attributes; not those in which overlayfs notes where a file came
// from, which hold for one file system only. Sockets are left out. Gives the bytes that were sent.
Result<std::uint64_t> send_directory(const std::string &from, const Host &target, const std::string &to, Into into,
                                     const Counter &counter);

} // namespace hrunc::migrate
