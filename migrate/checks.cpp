#include "migrate/checks.h"

#include <algorithm>
#include <charconv>
#include <future>

#include "oci/fields.h"
#include "oci/image_store.h"

namespace hrunc::migrate {

namespace {

using oci::Json;

constexpr std::size_t kMaxProbe = std::size_t{4} << 20; // bytes of a probe's output

std::string megabytes(std::uint64_t bytes) {
    return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MB";
}

// "linux/amd64" speaks of images, /info of machines.
std::string image_isa(const std::string &machine) {
    if (machine == "x86_64") return "amd64";
    if (machine == "aarch64") return "arm64";
    return machine;
}

// A text of a document that was found to be one, or nothing.
std::string text_of(const Json &document, std::string_view path) {
    Result<std::string> text = oci::text_at(document, path);
    return text ? *text : "";
}

bool flag_of(const Json &document, std::string_view path) {
    Result<bool> flag = oci::flag_at(document, path);
    return flag && *flag;
}

class Problems {
  public:
    void add(std::string text) { list.push_back(std::move(text)); }
    void add_if(bool wrong, const std::string &text) {
        if (wrong) add(text);
    }
    std::vector<std::string> list;
};

void check_runtime(const End &end, const Container &container, Problems &problems) {
    Result<const Json *> runtimes = oci::find_member(end.info, "Runtimes");
    std::string path;
    if (runtimes && *runtimes != nullptr && (*runtimes)->contains(container.runtime))
        path = text_of((*runtimes)->at(container.runtime), "path");
    bool ours = path.substr(path.rfind('/') + 1) == "hrunc";
    problems.add_if(!ours, end.where + ": Docker has no runtime " + oci::in_quotes(container.runtime) +
                               " that is hrunc: register it in daemon.json, and create the container with it");
}

// Docker 28 and 29 bind the network namespace of a process that is not there yet, unless it is another's.
bool loses_networks(const End &end) {
    std::string version = text_of(end.info, "ServerVersion");
    unsigned major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    return major == 28 || major == 29;
}

void check_end(const End &end, const Container &container, std::uint64_t memory, Problems &problems) {
    const Probe &probe = end.probe;
    problems.add_if(probe.uid != 0, end.where + ": not root: Docker's files have to be read and written");
    problems.add_if(!probe.gnu_tar, end.where + ": GNU tar is missing: install tar");
    problems.add_if(!probe.zstd, end.where + ": zstd is missing: install zstd");
    problems.add_if(!flag_of(end.info, "ExperimentalBuild"),
                    end.where +
                        ": Docker has no checkpoints: set \"experimental\": true in daemon.json, and restart it");
    check_runtime(end, container, problems);
    std::string driver = text_of(end.info, "Driver");
    problems.add_if(driver != "overlay2", end.where + ": Docker's storage driver is " + oci::in_quotes(driver) +
                                              "; only overlay2's writable layers can be moved");
    problems.add_if(probe.metacopy, end.where + ": overlayfs keeps files without their content: set metacopy=N for it");
    Result<std::vector<const Json *>> options = oci::list_at(end.info, "SecurityOptions");
    for (const Json *option : options ? *options : std::vector<const Json *>())
        problems.add_if(*option == "name=rootless" || *option == "name=userns",
                        end.where + ": Docker runs with user namespaces, where criu cannot restore");
    problems.add_if(loses_networks(end) && container.network_mode != "host",
                    end.where + ": Docker " + text_of(end.info, "ServerVersion") +
                        " cannot restore a container that is not on the host network: take Docker 27 or older");
    problems.add_if(memory > probe.free_images, end.where + ": " + megabytes(memory) +
                                                    " of memory have to be kept in " +
                                                    oci::in_quotes(oci::image_store_root()) + ", where " +
                                                    megabytes(probe.free_images) + " are free");
}

void check_container(const Container &container, Problems &problems) {
    problems.add_if(container.state != "running",
                    "the container is not running, it is " + oci::in_quotes(container.state));
    problems.add_if(container.auto_remove,
                    "the container was created with --rm: Docker would remove it with its checkpoint");
    for (const std::string &shared : container.namespaces_of)
        problems.add("the container shares a namespace with another one: " + oci::in_quotes(shared));
}

bool overlap(const Listener &listener, const Port &port) {
    bool all = port.address.empty() || port.address == "0.0.0.0" || port.address == "::";
    return listener.port == port.number && listener.protocol == port.protocol &&
           (all || listener.address.empty() || listener.address == port.address);
}

void check_image(const Container &container, const Findings &findings, Problems &problems) {
    const End &target = findings.target;
    if (!findings.image) {
        if (findings.image_comes) return;
        problems.add(target.where + ": there is no image " + oci::in_quotes(container.image) + " for " + target.isa +
                     ": bring it there, or send it along with --image FILE");
        return;
    }
    std::string isa = text_of(*findings.image, "Architecture");
    problems.add_if(isa != target.isa, target.where + ": image " + oci::in_quotes(container.image) + " is for " + isa +
                                           ", the host is " + target.isa);
}

std::string volume_problem(const Volume &volume, bool there, bool comes) {
    if (!comes) return there ? "" : "is not there: bring its content there, or send it along with --volumes";
    if (volume.driver != "local") return "is of driver " + oci::in_quotes(volume.driver) + ": --volumes cannot send it";
    return there ? "is there already: remove it, or leave --volumes out, which would have to overwrite it" : "";
}

void check_volumes(const Container &container, const Findings &findings, Problems &problems) {
    for (const Volume &volume : container.volumes) {
        std::string problem =
            volume_problem(volume, findings.volumes_there.count(volume.name) != 0, findings.volumes_come);
        if (problem.empty()) continue;
        std::string text = findings.target.where;
        text.append(": volume ").append(oci::in_quotes(volume.name)).append(" (").append(volume.destination);
        problems.add(text.append(") ").append(problem));
    }
}

} // namespace

Result<End> end_from(std::string where, Json info) {
    End end;
    end.where = std::move(where);
    end.info = std::move(info);
    HRUNC_ASSIGN_IN(end.docker_root, oci::text_at(end.info, "DockerRootDir"), "Docker " + end.where);
    if (!is_plain_path(end.docker_root) || end.docker_root.size() < 2)
        return Error(ErrorCode::kInvalid,
                     "Docker " + end.where + ": DockerRootDir: " + oci::in_quotes(end.docker_root));
    HRUNC_ASSIGN_IN(std::string machine, oci::text_at(end.info, "Architecture"), "Docker " + end.where);
    end.isa = image_isa(machine);
    return end;
}

std::vector<std::string> problems_of(const Container &container, const std::string &name, const Findings &findings) {
    Problems problems;
    check_container(container, problems);
    check_end(findings.source, container, findings.memory, problems);
    check_end(findings.target, container, findings.memory, problems);
    check_image(container, findings, problems);
    check_volumes(container, findings, problems);
    const End &target = findings.target;
    problems.add_if(findings.name_taken,
                    target.where + ": there is a container " + oci::in_quotes(name) + ": remove it, or take --name");
    for (const std::string &network : findings.missing_networks)
        problems.add(target.where + ": there is no network " + oci::in_quotes(network) +
                     ": create it with docker network create");
    for (const std::string &path : target.probe.missing_paths)
        problems.add(target.where + ": there is no " + oci::in_quotes(path) + ", which the container has mounted");
    for (const Port &port : container.ports)
        problems.add_if(std::any_of(target.probe.listeners.begin(), target.probe.listeners.end(),
                                    [&port](const Listener &listener) { return overlap(listener, port); }),
                        target.where + ": port " + std::to_string(port.number) + "/" + port.protocol + " is in use");
    return std::move(problems.list);
}

namespace {

Result<std::string> settle_version(Engine &engine) {
    HRUNC_ASSIGN(Json version, engine.call("GET", "/version"));
    HRUNC_ASSIGN(std::string api, oci::text_at(version, "ApiVersion"));
    if (!is_api_version(api))
        return Error(ErrorCode::kInvalid, "Docker " + engine.host().where() + ": API version " + oci::in_quotes(api));
    return api;
}

Result<End> look_at(Engine &engine, const std::vector<std::string> &paths) {
    HRUNC_ASSIGN(Json info, engine.call("GET", "/info"));
    HRUNC_ASSIGN(End end, end_from(engine.host().where(), std::move(info)));
    HRUNC_ASSIGN_IN(std::string output, output_of(engine.host().command(probe_script(paths)), kMaxProbe), end.where);
    HRUNC_ASSIGN_IN(end.probe, probe_from(output, paths), end.where);
    return end;
}

// What the processes have written and not mapped from files: cgroup v2 calls it anon, v1 total_rss.
std::uint64_t memory_of(Engine &engine, const Container &container) {
    Result<Json> stats = engine.call("GET", "/containers/" + container.id + "/stats?stream=false&one-shot=true");
    if (!stats) return 0;
    for (const char *member : {"memory_stats.stats.anon", "memory_stats.stats.total_rss"}) {
        Result<std::uint64_t> bytes = oci::number_at(*stats, member, ~std::uint64_t{0});
        if (bytes && *bytes > 0) return *bytes;
    }
    return 0;
}

} // namespace

Result<Findings> find_out(Engine &source, Engine &target, const Container &container, const std::string &name) {
    HRUNC_ASSIGN(std::string here, settle_version(source));
    HRUNC_ASSIGN(std::string there, settle_version(target));
    source.use_version(lower_api_version(here, there));
    target.use_version(lower_api_version(here, there));
    Findings findings;
    // Both at once: each host takes its time.
    std::future<Result<End>> looked = std::async(std::launch::async, [&source] { return look_at(source, {}); });
    Result<End> target_end = look_at(target, container.bound_paths);
    HRUNC_ASSIGN(findings.source, looked.get());
    HRUNC_ASSIGN(findings.target, std::move(target_end));
    HRUNC_ASSIGN(findings.image, target.find("/images/" + container.image + "/json"));
    HRUNC_ASSIGN(std::optional<Json> taken, target.find("/containers/" + name + "/json"));
    findings.name_taken = taken.has_value();
    for (const std::string &network : container.networks) {
        HRUNC_ASSIGN(std::optional<Json> found, target.find("/networks/" + percent_encoded(network)));
        if (!found) {
            findings.missing_networks.push_back(network);
            continue;
        }
        HRUNC_ASSIGN(std::string driver, oci::text_at(*found, "Driver"));
        if (driver != "bridge" && driver != "host" && driver != "null") findings.shared_network = true;
    }
    for (const Volume &volume : container.volumes) {
        HRUNC_ASSIGN(std::optional<Json> found, target.find("/volumes/" + volume.name));
        if (found) findings.volumes_there.insert(volume.name);
    }
    findings.memory = memory_of(source, container);
    return findings;
}

} // namespace hrunc::migrate
