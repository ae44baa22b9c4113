#include "recode/manifest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "recode/image_file.h"

namespace hrunc::recode {
namespace {

using Json = nlohmann::ordered_json;

Error invalid(std::string text) {
    return Error(ErrorCode::kInvalid, std::move(text));
}

// Absent members stay empty.
Result<void> get_text(const Json &json, const char *key, std::string &out) {
    auto found = json.find(key);
    if (found == json.end()) return {};
    if (!found->is_string()) return invalid(std::string("\"") + key + "\": not a string");
    out = found->get_ref<const std::string &>();
    return {};
}

Result<std::uint32_t> get_number(const Json &json, const char *key) {
    auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > UINT32_MAX)
        return invalid(std::string("\"") + key + "\": a number from 0 to 4294967295 is needed");
    return found->get<std::uint32_t>();
}

Result<ManifestProcess> get_process(const Json &json) {
    if (!json.is_object()) return invalid("\"processes\": not a list of objects");
    ManifestProcess process;
    HRUNC_ASSIGN(process.pid, get_number(json, "pid"));
    HRUNC_TRY(get_text(json, "comm", process.comm));
    HRUNC_TRY(get_text(json, "executable", process.executable));
    HRUNC_TRY(get_text(json, "abi", process.abi));
    HRUNC_TRY(get_text(json, "build_id", process.build_id));
    return process;
}

} // namespace

std::string to_json(const Manifest &manifest) {
    Json json{{"version", kManifestVersion}, {"hrunc", manifest.hrunc}, {"isa", manifest.isa}};
    for (auto [key, value] :
         {std::pair("target", &manifest.target), std::pair("engine", &manifest.engine),
          std::pair("criu", &manifest.criu), std::pair("runc", &manifest.runc), std::pair("kernel", &manifest.kernel)})
        if (!value->empty()) json[key] = *value;
    Json processes = Json::array();
    for (const ManifestProcess &process : manifest.processes)
        processes.push_back({{"pid", process.pid},
                             {"comm", process.comm},
                             {"executable", process.executable},
                             {"abi", process.abi},
                             {"build_id", process.build_id}});
    json["processes"] = std::move(processes);
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> manifest_from_json(std::string_view text) {
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return invalid("not a JSON object");
    HRUNC_ASSIGN(std::uint32_t version, get_number(json, "version"));
    if (version != kManifestVersion)
        return invalid("\"version\": " + std::to_string(version) + ": only " + std::to_string(kManifestVersion) +
                       " is known");
    Manifest manifest;
    for (auto [key, value] :
         {std::pair("hrunc", &manifest.hrunc), std::pair("isa", &manifest.isa), std::pair("target", &manifest.target),
          std::pair("engine", &manifest.engine), std::pair("criu", &manifest.criu), std::pair("runc", &manifest.runc),
          std::pair("kernel", &manifest.kernel)})
        HRUNC_TRY(get_text(json, key, *value));
    auto processes = json.find("processes");
    if (processes == json.end()) return manifest;
    if (!processes->is_array()) return invalid("\"processes\": not a list of objects");
    for (const Json &entry : *processes) {
        HRUNC_ASSIGN(ManifestProcess process, get_process(entry));
        manifest.processes.push_back(std::move(process));
    }
    return manifest;
}

Result<std::optional<Manifest>> read_manifest(const Fd &directory) {
    auto file = open_image(directory, kManifestName);
    if (!file && file.error().system_errno() == ENOENT) return std::optional<Manifest>();
    if (!file) return std::move(file).error();
    HRUNC_ASSIGN_IN(std::string text, read_to_end(*file, kMaxManifest), kManifestName);
    HRUNC_ASSIGN_IN(Manifest manifest, manifest_from_json(text), kManifestName);
    return std::optional<Manifest>(std::move(manifest));
}

Result<void> write_manifest(const Fd &directory, const Manifest &manifest) {
    const std::string temporary = std::string(kManifestName) + ".new";
    if (unlinkat(directory.get(), temporary.c_str(), 0) != 0 && errno != ENOENT)
        return Error::system("remove \"" + temporary + "\"");
    HRUNC_ASSIGN(Fd file, open_beneath(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    HRUNC_TRY_IN(write_all(file, to_json(manifest)), temporary);
    if (fsync(file.get()) != 0) return Error::system("fsync \"" + temporary + "\"");
    if (renameat(directory.get(), temporary.c_str(), directory.get(), kManifestName) != 0)
        return Error::system("rename \"" + temporary + "\"");
    return {};
}

} // namespace hrunc::recode
