#include <limits>

#include "oci/document.h"
#include "oci/fields.h"

namespace hrunc::oci {

Result<State> state_from(Json document) {
    State state;
    state.document = std::move(document);
    const Json &json = state.document;
    HRUNC_ASSIGN(state.id, text_at(json, "id"));
    HRUNC_ASSIGN(std::uint64_t pid, number_at(json, "init_process_pid", std::numeric_limits<pid_t>::max()));
    state.init_pid = static_cast<pid_t>(pid);
    HRUNC_ASSIGN(state.init_start, number_at(json, "init_process_start", std::numeric_limits<std::uint64_t>::max()));
    HRUNC_ASSIGN(state.root, text_at(json, "config.rootfs"));
    HRUNC_ASSIGN(state.cgroup_paths, texts_by_name_at(json, "cgroup_paths"));
    HRUNC_ASSIGN(std::vector<const Json *> labels, list_at(json, "config.labels"));
    for (const Json *one : labels) {
        const auto *label = one->get_ptr<const std::string *>();
        if (label == nullptr) return Error(ErrorCode::kInvalid, "config.labels: a list of strings is expected");
        std::size_t equal = std::min(label->find('='), label->size());
        std::string value = label->substr(std::min(equal + 1, label->size()));
        state.annotations.insert_or_assign(label->substr(0, equal), value);
    }
    // runc puts its own label behind those that stand for annotations (specconv, CreateLibcontainerConfig), so an
    // annotation of that name does not count.
    auto bundle = state.annotations.find("bundle");
    if (bundle != state.annotations.end()) state.bundle = state.annotations.extract(bundle).mapped();
    return state;
}

Result<State> read_state(const std::string &root, const std::string &id) {
    if (id.empty() || id == "." || id == ".." || id.find('/') != std::string::npos)
        return Error(ErrorCode::kInvalid, in_quotes(id) + ": no container id");
    std::string path = root + "/" + id + "/state.json";
    HRUNC_ASSIGN(Json document, read_json(path, kDocumentLimit));
    HRUNC_ASSIGN_IN(State state, state_from(std::move(document)), in_quotes(path));
    return state;
}

} // namespace hrunc::oci
