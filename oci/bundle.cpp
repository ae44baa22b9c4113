#include <algorithm>
#include <limits>

#include "oci/document.h"
#include "oci/fields.h"

namespace hrunc::oci {

namespace {

std::string beside(const std::string &directory, const std::string &path) {
    return path.empty() || path.starts_with('/') ? path : directory + "/" + path;
}

// linux.mounts of the runtime specification: a bind mount is one by its type or by an option.
Result<Mount> mount_from(const Json &json, const std::string &directory) {
    Mount mount;
    HRUNC_ASSIGN(mount.destination, text_at(json, "destination"));
    HRUNC_ASSIGN(mount.type, text_at(json, "type"));
    HRUNC_ASSIGN(mount.source, text_at(json, "source"));
    HRUNC_ASSIGN(std::vector<const Json *> options, list_at(json, "options"));
    mount.bind = mount.type == "bind" || std::any_of(options.begin(), options.end(), [](const Json *option) {
                     return *option == "bind" || *option == "rbind";
                 });
    if (mount.destination.empty()) return Error(ErrorCode::kInvalid, "destination: missing");
    if (mount.bind) mount.source = beside(directory, mount.source);
    return mount;
}

std::string element(std::string_view list, std::size_t index) {
    return std::string(list) + "[" + std::to_string(index) + "]";
}

Result<void> take_process(Bundle &bundle) {
    constexpr std::uint64_t kHighestId = std::numeric_limits<std::uint32_t>::max();
    const Json &json = bundle.document;
    HRUNC_ASSIGN(bundle.terminal, flag_at(json, "process.terminal"));
    HRUNC_ASSIGN(bundle.no_new_privileges, flag_at(json, "process.noNewPrivileges"));
    HRUNC_ASSIGN(std::uint64_t uid, number_at(json, "process.user.uid", kHighestId));
    HRUNC_ASSIGN(std::uint64_t gid, number_at(json, "process.user.gid", kHighestId));
    bundle.uid = static_cast<std::uint32_t>(uid);
    bundle.gid = static_cast<std::uint32_t>(gid);
    return {};
}

Result<void> take_linux(Bundle &bundle) {
    const Json &json = bundle.document;
    HRUNC_ASSIGN(bundle.cgroups_path, text_at(json, "linux.cgroupsPath"));
    HRUNC_ASSIGN(std::vector<const Json *> namespaces, list_at(json, "linux.namespaces"));
    for (const Json *one : namespaces) {
        std::string where = element("linux.namespaces", bundle.namespaces.size());
        HRUNC_ASSIGN_IN(std::string type, text_at(*one, "type"), where);
        HRUNC_ASSIGN_IN(std::string path, text_at(*one, "path"), where);
        bundle.namespaces.push_back({type, path});
    }
    HRUNC_ASSIGN(const Json *seccomp, find_member(json, "linux.seccomp"));
    if (seccomp != nullptr) {
        if (!seccomp->is_object())
            return Error(ErrorCode::kInvalid,
                         "linux.seccomp: an object is expected, not " + std::string(kind_of(*seccomp)));
        bundle.seccomp = to_text(*seccomp);
    }
    return {};
}

} // namespace

Result<Bundle> bundle_from(Json document, const std::string &directory) {
    Bundle bundle;
    bundle.directory = directory;
    bundle.document = std::move(document);
    const Json &json = bundle.document;
    HRUNC_ASSIGN(std::string root, text_at(json, "root.path"));
    bundle.root = beside(directory, root);
    HRUNC_ASSIGN(bundle.root_readonly, flag_at(json, "root.readonly"));
    HRUNC_ASSIGN(bundle.hostname, text_at(json, "hostname"));
    HRUNC_ASSIGN(bundle.annotations, texts_by_name_at(json, "annotations"));
    HRUNC_ASSIGN(std::vector<const Json *> mounts, list_at(json, "mounts"));
    for (const Json *one : mounts) {
        HRUNC_ASSIGN_IN(Mount mount, mount_from(*one, directory), element("mounts", bundle.mounts.size()));
        bundle.mounts.push_back(std::move(mount));
    }
    HRUNC_TRY(take_process(bundle));
    HRUNC_TRY(take_linux(bundle));
    return bundle;
}

Result<Bundle> read_bundle(const std::string &directory) {
    std::string path = directory + "/config.json";
    HRUNC_ASSIGN(Json document, read_json(path, kDocumentLimit));
    HRUNC_ASSIGN_IN(Bundle bundle, bundle_from(std::move(document), directory), in_quotes(path));
    return bundle;
}

} // namespace hrunc::oci
