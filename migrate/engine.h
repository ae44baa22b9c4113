// Docker's Engine API on either host. The way to the daemon is `docker system dial-stdio`, which the docker CLI itself
// uses for DOCKER_HOST=ssh://: it honours contexts and DOCKER_HOST, and needs nothing but the CLI. What the API returns
// for a container (its configuration as JSON) is what it takes to create one, which no docker command does.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "migrate/host.h"
#include "migrate/http.h"
#include "oci/json.h"

namespace hrunc::migrate {

class Engine {
  public:
    // Connects with the first call.
    explicit Engine(Host host) : host_(std::move(host)) {}

    const Host &host() const { return host_; }
    // Another way to the same daemon, for a call beside this one's.
    Engine another() const {
        Engine engine(host_);
        engine.prefix_ = prefix_;
        return engine;
    }

    // The API version of all later calls, as "1.41".
    void use_version(const std::string &version) { prefix_ = "/v" + version; }

    // `path` is without a version. A reply that is no success is an error with Docker's own message; a reply without a
    // document gives null. A broken connection is made again by the next call; one that asks or removes makes it
    // itself.
    Result<oci::Json> call(const std::string &method, const std::string &path, const oci::Json &body = nullptr);
    // Nothing where Docker says that there is no such thing (404).
    Result<std::optional<oci::Json>> find(const std::string &method, const std::string &path);
    Result<std::optional<oci::Json>> find(const std::string &path) { return find("GET", path); }

  private:
    Result<HttpReply> converse(const std::string &request);
    Result<HttpReply> exchange(const std::string &method, const std::string &path, const oci::Json &body);
    Result<oci::Json> document_of(const HttpReply &reply) const;

    Host host_;
    std::string prefix_;
    std::unique_ptr<Peer> peer_;
};

// Whether this is a version of the API, as "1.41".
bool is_api_version(std::string_view text);
// The lower of the two.
std::string lower_api_version(const std::string &one, const std::string &other);

} // namespace hrunc::migrate
