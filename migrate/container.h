// A container as Docker describes it (the API's inspect document), and the document that creates its like on another
// host. Everything here is about documents alone: nothing is asked or done. They are checked, whoever they come from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "oci/json.h"

namespace hrunc::migrate {

struct Port {
    std::string address; // empty: all
    unsigned number = 0;
    std::string protocol; // "tcp", "udp", "sctp"
};

struct Volume {
    std::string name; // an anonymous one's is 64 hexadecimal digits
    std::string driver;
    std::string destination; // in the container
    std::string source;      // the directory on its host
};

struct Container {
    std::string id;    // 64 hexadecimal digits
    std::string name;  // without the slash
    std::string image; // as it was named at the creation
    std::string runtime;
    std::string network_mode;
    std::string state; // "running", "paused", "exited", ...
    bool running = false, auto_remove = false;
    oci::Json restart_policy;             // of HostConfig
    std::vector<std::string> networks;    // by name
    std::vector<Port> ports;              // of this host, published under a number that was asked for
    std::vector<std::string> bound_paths; // paths of this host, by bind mounts
    std::vector<Volume> volumes;
    std::vector<std::string> namespaces_of; // "NetworkMode container:X": namespaces shared with other containers
    oci::Json document;                     // the whole of it
};

Result<Container> container_from(oci::Json document);

// What POST /containers/create takes, and the networks that it has to be joined to afterwards: the API before 1.44
// takes only one at the creation. The new container has no restart policy: until the move is done, nothing but the move
// is to start it.
struct Creation {
    oci::Json body;
    std::vector<std::pair<std::string, oci::Json>> further_networks; // name, endpoint configuration
};
Result<Creation> creation_from(const Container &container);

// An anonymous volume belongs to its container alone.
bool is_anonymous(const Volume &volume);
// The directory of a container's writable layer. It is where overlay2 keeps layers beneath Docker's root directory, or
// it is an error.
Result<std::string> layer_directory(const Container &container, const std::string &docker_root);
// Where Docker looks for a container's checkpoint of that name.
std::string checkpoint_directory(const Container &container, const std::string &docker_root, const std::string &name);
// An absolute path without "." and "..".
bool is_plain_path(std::string_view path);
// What Docker takes for a container's name or id.
bool is_container_name(std::string_view text);

} // namespace hrunc::migrate
