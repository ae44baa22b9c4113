// Directories from this host to another, as one compressed stream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "migrate/host.h"

namespace hrunc::migrate {

enum class Into {
    kNew,      // is made, with mode 0700; must not be there
    kExisting, // is filled; what it has of other names stays
    kEmptied,  // is emptied first
};

// Whether somebody may be changing what is sent. Then what changes meanwhile arrives in any state, or not at all.
enum class Origin { kStill, kInUse };

// A directory here, and where its content goes. Both are absolute paths.
struct Parcel {
    std::string from, to;
    Into into = Into::kExisting;
};

// Everything in the parcels' directories here into those on `target`, as it is: owners by number, modes, times, hard
// links, devices (so overlayfs' whiteouts), holes, ACLs and extended attributes; not those in which overlayfs notes
// where a file came from, which hold for one file system only. Sockets are left out. Gives the bytes that were sent.
Result<std::uint64_t> send_directories(const std::vector<Parcel> &parcels, Origin origin, const Host &target,
                                       const Counter &counter);

} // namespace hrunc::migrate
