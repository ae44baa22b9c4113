// What both ends of a move are, and what stands in its way: all of it is found before anything is changed.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "migrate/container.h"
#include "migrate/engine.h"

namespace hrunc::migrate {

// A socket that is in use: what /proc/net/tcp and its like say.
struct Listener {
    std::string protocol; // "tcp", "udp"
    std::string address;  // IPv4 in dotted form; empty: all, or an address that is not IPv4
    unsigned port = 0;
};

// What a host's shell says of it.
struct Probe {
    unsigned long uid = ~0UL;
    bool gnu_tar = false, zstd = false;
    bool metacopy = false;         // overlayfs keeps changed owners without the file's content
    std::uint64_t free_images = 0; // bytes, where image stores are made (oci/image_store.h)
    std::vector<Listener> listeners;
    std::vector<std::string> missing_paths; // of those that were asked for
};
// The script that finds it out. `paths`: which of them are missing is said, too.
std::string probe_script(const std::vector<std::string> &paths);
Result<Probe> probe_from(const std::string &output, const std::vector<std::string> &paths);

// One end.
struct End {
    std::string where;       // "here", "on pi"
    oci::Json info;          // GET /info
    std::string docker_root; // plain path
    std::string isa;         // as in Docker's images: "amd64", "arm64"
    Probe probe;
};
Result<End> end_from(std::string where, oci::Json info);

struct Findings {
    End source, target;
    std::optional<oci::Json> image;            // GET /images/NAME/json of the target
    bool name_taken = false;                   // on the target
    std::vector<std::string> missing_networks; // on the target
    // On the target; one that reaches beyond its host, where two containers must not have one address at a time.
    bool shared_network = false;
    std::set<std::string> volumes_there; // those of the container that the target has, by name
    bool image_comes = false;            // a missing image is sent along
    bool volumes_come = false;           // the volumes are
    std::uint64_t memory = 0;            // bytes that the container's processes have written; 0: unknown
};

// What stands in the way of the move of the container as `name`, each with its remedy; empty: nothing.
std::vector<std::string> problems_of(const Container &container, const std::string &name, const Findings &findings);

// Asks both ends. The engines then speak the API version that both know.
Result<Findings> find_out(Engine &source, Engine &target, const Container &container, const std::string &name);

} // namespace hrunc::migrate
