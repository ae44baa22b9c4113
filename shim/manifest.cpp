#include "shim/manifest.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <utility>

#include "oci/document.h"
#include "oci/json.h"
#include "recode/elf.h"
#include "shim/version.h"

namespace hrunc::shim {

namespace {

using oci::Json;

std::string_view name_of(recode::Abi abi) {
    switch (abi) {
    case recode::Abi::kNone:
        return "none";
    case recode::Abi::kPopcorn:
        return "popcorn";
    case recode::Abi::kPortable:
        return "portable";
    }
    return "none";
}

// By the annotations that each engine puts on its containers, and by where Docker keeps its state.
std::string engine_of(const Context &context) {
    constexpr std::array<std::pair<std::string_view, const char *>, 3> kMarks{{
        {"io.container.manager", "podman"},
        {"io.kubernetes.cri-o.ContainerID", "cri-o"},
        {"io.kubernetes.cri.container-type", "containerd"},
    }};
    if (context.root.ends_with("/moby")) return "docker";
    if (context.root.find("/containerd/") != std::string::npos) return "containerd";
    Result<oci::State> state = oci::read_state(context.root, context.id);
    if (!state) return "";
    for (const auto &[annotation, engine] : kMarks)
        if (state->annotations.contains(std::string(annotation))) return engine;
    return "";
}

std::string build_id_of(pid_t pid) {
    Result<Fd> file = open_file("/proc/" + std::to_string(pid) + "/exe", O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) return "";
    Result<recode::Elf> elf = recode::Elf::open(std::move(file).value());
    if (!elf) return "";
    Result<std::optional<std::string>> id = elf->build_id();
    std::string text;
    if (id && *id)
        for (unsigned char byte : **id) {
            constexpr std::string_view kDigits = "0123456789abcdef";
            text += kDigits[byte >> 4];
            text += kDigits[byte & 15];
        }
    return text;
}

Json to_json(const ManifestProcess &process) {
    Json json = {{"pid", process.pid},
                 {"comm", process.comm},
                 {"executable", process.executable},
                 {"abi", name_of(process.abi)}};
    if (!process.build_id.empty()) json["build_id"] = process.build_id;
    return json;
}

void set(Json &json, const char *member, const std::string &value) {
    if (!value.empty()) json[member] = value;
}

} // namespace

Manifest make_manifest(const RunDirectory &run, const Context &context, const std::vector<ParkedTask> &tasks) {
    Manifest manifest;
    manifest.hrunc = HRUNC_VERSION;
    manifest.criu = run.text("criu-version");
    std::string runc = run.text("runc-version");
    constexpr std::string_view kRuncPrefix = "runc version ";
    if (runc.starts_with(kRuncPrefix))
        manifest.runc = runc.substr(kRuncPrefix.size(), runc.find('\n') - kRuncPrefix.size());
    utsname kernel{};
    if (uname(&kernel) == 0) manifest.kernel = kernel.release;
    manifest.container = context.id;
    manifest.engine = engine_of(context);
    for (const ParkedTask &task : tasks) {
        if (task.abi == recode::Abi::kPopcorn)
            manifest.target = context.config.target.value_or(arch::other(arch::host()));
        manifest.processes.push_back({task.pid_inside, task.comm, task.executable, task.abi,
                                      task.abi == recode::Abi::kNone ? "" : build_id_of(task.pid)});
    }
    return manifest;
}

std::string to_text(const Manifest &manifest) {
    Json json = {{"version", kManifestVersion}};
    set(json, "hrunc", manifest.hrunc);
    set(json, "criu", manifest.criu);
    set(json, "runc", manifest.runc);
    set(json, "kernel", manifest.kernel);
    set(json, "container", manifest.container);
    set(json, "engine", manifest.engine);
    json["isa"] = arch::name(manifest.isa);
    if (manifest.target) json["target"] = arch::name(*manifest.target);
    json["processes"] = Json::array();
    for (const ManifestProcess &process : manifest.processes) json["processes"].push_back(to_json(process));
    return oci::to_text(json, 2) + "\n";
}

Result<void> write_manifest(const std::string &images, const Manifest &manifest) {
    return write_file_atomically(images + "/" + kManifestName, to_text(manifest), 0600);
}

} // namespace hrunc::shim
