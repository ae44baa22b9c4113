#include "migrate/container.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "oci/fields.h"

namespace hrunc::migrate {

namespace {

using oci::Json;

bool is_one_of(char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
}

bool is_hexadecimal(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return is_one_of(c, "0123456789abcdef"); });
}

bool is_word(std::string_view text, std::string_view more) {
    return std::all_of(text.begin(), text.end(), [more](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || is_one_of(c, more);
    });
}

Error malformed(const std::string &member, std::string_view value) {
    return {ErrorCode::kInvalid, "container: " + member + ": " + oci::in_quotes(value)};
}

// Of an object, also where `path` leads to nothing.
Result<std::vector<std::pair<std::string, const Json *>>> members_at(const Json &document, std::string_view path) {
    std::vector<std::pair<std::string, const Json *>> members;
    HRUNC_ASSIGN(const Json *object, oci::find_member(document, path));
    if (object == nullptr) return members;
    if (!object->is_object()) return Error(ErrorCode::kInvalid, std::string(path) + ": an object is expected");
    for (const auto &[name, value] : object->items()) members.emplace_back(name, &value);
    return members;
}

// HostConfig.PortBindings: {"7000/tcp": [{"HostIp": "", "HostPort": "7777"}]}; a range of ports stands for a free one
// of it.
Result<void> take_ports(Container &container) {
    HRUNC_ASSIGN(auto bindings, members_at(container.document, "HostConfig.PortBindings"));
    for (const auto &[name, list] : bindings) {
        if (list->is_null()) continue;
        if (!list->is_array()) return malformed("HostConfig.PortBindings", name);
        std::size_t slash = name.find('/');
        for (const Json &binding : *list) {
            Port port;
            port.protocol = slash == std::string::npos ? "tcp" : name.substr(slash + 1);
            HRUNC_ASSIGN(port.address, oci::text_at(binding, "HostIp"));
            HRUNC_ASSIGN(std::string number, oci::text_at(binding, "HostPort"));
            if (number.empty() || number == "0" || number.find('-') != std::string::npos) continue;
            auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), port.number);
            if (failure != std::errc() || *end != '\0' || port.number > 65535)
                return malformed("HostConfig.PortBindings", number);
            container.ports.push_back(std::move(port));
        }
    }
    return {};
}

// Mounts: what there is, whichever option made it.
Result<void> take_mounts(Container &container) {
    HRUNC_ASSIGN(std::vector<const Json *> mounts, oci::list_at(container.document, "Mounts"));
    for (const Json *mount : mounts) {
        HRUNC_ASSIGN(std::string type, oci::text_at(*mount, "Type"));
        HRUNC_ASSIGN(std::string source, oci::text_at(*mount, "Source"));
        HRUNC_ASSIGN(std::string destination, oci::text_at(*mount, "Destination"));
        if (type != "bind" && type != "volume") continue;
        if (!is_plain_path(source)) return malformed("Mounts: Source", source);
        if (type == "bind") {
            container.bound_paths.push_back(source);
            continue;
        }
        Volume volume{"", "", destination, source};
        HRUNC_ASSIGN(volume.name, oci::text_at(*mount, "Name"));
        HRUNC_ASSIGN(volume.driver, oci::text_at(*mount, "Driver"));
        if (!is_container_name(volume.name)) return malformed("Mounts: Name", volume.name);
        container.volumes.push_back(std::move(volume));
    }
    return {};
}

Result<void> take_shared_namespaces(Container &container) {
    for (std::string_view member : {"NetworkMode", "PidMode", "IpcMode"}) {
        HRUNC_ASSIGN(std::string mode, oci::text_at(container.document, "HostConfig." + std::string(member)));
        if (mode.starts_with("container:")) container.namespaces_of.push_back(std::string(member) + " " + mode);
    }
    return {};
}

Result<void> take_networks(Container &container) {
    HRUNC_ASSIGN(auto networks, members_at(container.document, "NetworkSettings.Networks"));
    HRUNC_ASSIGN(container.network_mode, oci::text_at(container.document, "HostConfig.NetworkMode"));
    if (container.network_mode == "default") container.network_mode = "bridge";
    for (const auto &[name, settings] : networks) {
        container.networks.push_back(name);
        // It may have been asked for by its id, which is another one elsewhere.
        HRUNC_ASSIGN(std::string id, oci::text_at(*settings, "NetworkID"));
        if (!id.empty() && container.network_mode == id) container.network_mode = name;
    }
    return {};
}

// Of a network's endpoint, what was asked for; the rest is what this host made of it.
Result<Json> endpoint_from(const Json &settings, const std::string &id) {
    Json endpoint = Json::object();
    for (const char *member : {"IPAMConfig", "Links", "DriverOpts"})
        if (auto found = settings.find(member); found != settings.end() && !found->empty()) endpoint[member] = *found;
    HRUNC_ASSIGN(std::vector<const Json *> aliases, oci::list_at(settings, "Aliases"));
    Json kept = Json::array();
    for (const Json *alias : aliases)
        if (*alias != id.substr(0, 12)) kept.push_back(*alias); // Docker adds the new container's id
    if (!kept.empty()) endpoint["Aliases"] = kept;
    return endpoint;
}

} // namespace

bool is_plain_path(std::string_view path) {
    if (!path.starts_with('/') || path.find('\0') != std::string_view::npos) return false;
    for (std::size_t start = 1; start <= path.size();) {
        std::size_t end = std::min(path.find('/', start), path.size());
        std::string_view part = path.substr(start, end - start);
        if (part == "." || part == "..") return false;
        start = end + 1;
    }
    return true;
}

bool is_container_name(std::string_view text) {
    return text.size() >= 2 && text.size() <= 256 && !is_one_of(text.front(), "_.-") && is_word(text, "_.-");
}

Result<Container> container_from(Json document) {
    Container container;
    container.document = std::move(document);
    const Json &json = container.document;
    HRUNC_ASSIGN(container.id, oci::text_at(json, "Id"));
    if (container.id.size() != 64 || !is_hexadecimal(container.id)) return malformed("Id", container.id);
    HRUNC_ASSIGN(std::string name, oci::text_at(json, "Name"));
    container.name = name.substr(name.starts_with('/') ? 1 : 0);
    if (!is_container_name(container.name)) return malformed("Name", container.name);
    HRUNC_ASSIGN(container.image, oci::text_at(json, "Config.Image"));
    if (container.image.empty() || !is_word(container.image, "_.-/:@"))
        return malformed("Config.Image", container.image);
    HRUNC_ASSIGN(container.runtime, oci::text_at(json, "HostConfig.Runtime"));
    HRUNC_ASSIGN(container.state, oci::text_at(json, "State.Status"));
    HRUNC_ASSIGN(container.running, oci::flag_at(json, "State.Running"));
    HRUNC_ASSIGN(container.auto_remove, oci::flag_at(json, "HostConfig.AutoRemove"));
    HRUNC_ASSIGN(const Json *policy, oci::find_member(json, "HostConfig.RestartPolicy"));
    container.restart_policy = policy != nullptr ? *policy : Json::object();
    HRUNC_TRY(take_networks(container));
    HRUNC_TRY(take_ports(container));
    HRUNC_TRY(take_mounts(container));
    HRUNC_TRY(take_shared_namespaces(container));
    return container;
}

Result<Creation> creation_from(const Container &container) {
    const Json &json = container.document;
    HRUNC_ASSIGN(const Json *config, oci::find_member(json, "Config"));
    HRUNC_ASSIGN(const Json *host_config, oci::find_member(json, "HostConfig"));
    if (config == nullptr || !config->is_object() || host_config == nullptr || !host_config->is_object())
        return Error(ErrorCode::kInvalid, "container: Config or HostConfig is missing");
    Creation creation;
    creation.body = *config;
    Json &body = creation.body;
    HRUNC_ASSIGN(std::string uts_mode, oci::text_at(*host_config, "UTSMode"));
    if (container.network_mode == "host" || uts_mode == "host")
        for (const char *member : {"Hostname", "Domainname"}) body.erase(member); // this host's own

    body["HostConfig"] = *host_config;
    Json &host = body["HostConfig"];
    host["RestartPolicy"] = {{"Name", "no"}};
    host["NetworkMode"] = container.network_mode;
    host.erase("ContainerIDFile"); // a file of this host

    HRUNC_ASSIGN(auto networks, members_at(json, "NetworkSettings.Networks"));
    for (const auto &[name, settings] : networks) {
        HRUNC_ASSIGN(Json endpoint, endpoint_from(*settings, container.id));
        if (name != container.network_mode)
            creation.further_networks.emplace_back(name, std::move(endpoint));
        else if (!endpoint.empty())
            body["NetworkingConfig"]["EndpointsConfig"][name] = std::move(endpoint);
    }
    return creation;
}

bool is_anonymous(const Volume &volume) {
    return volume.name.size() == 64 && is_hexadecimal(volume.name);
}

Result<std::string> layer_directory(const Container &container, const std::string &docker_root) {
    HRUNC_ASSIGN(std::string upper, oci::text_at(container.document, "GraphDriver.Data.UpperDir"));
    std::string beneath = docker_root + "/overlay2/";
    if (upper.starts_with(beneath) && upper.ends_with("/diff")) {
        std::string layer = upper.substr(beneath.size());
        layer.resize(layer.size() - std::min(layer.size(), std::string_view("/diff").size()));
        if (!layer.empty() && is_word(layer, "-")) return upper;
    }
    return malformed("GraphDriver.Data.UpperDir", upper);
}

std::string checkpoint_directory(const Container &container, const std::string &docker_root, const std::string &name) {
    return docker_root + "/containers/" + container.id + "/checkpoints/" + name;
}

} // namespace hrunc::migrate
