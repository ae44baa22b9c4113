#include "shim/daemon_json.h"

#include "oci/json.h"

namespace hrunc::shim {

namespace {

using oci::Json;

constexpr int kIndent = 4; // where the text shows none

Error wrong(std::string_view key, std::string_view what) {
    return {ErrorCode::kInvalid, oci::in_quotes(key) + ": " + std::string(what)};
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

Result<Json> parse(std::string_view text) {
    if (is_blank(text)) return Json::object();
    HRUNC_ASSIGN(Json json, oci::parse_json(text));
    if (!json.is_object()) return Error(ErrorCode::kInvalid, "not a JSON object");
    return json;
}

// Indented as its first member is.
std::string print(const Json &json, std::string_view like) {
    int indent = kIndent;
    char with = ' ';
    std::size_t line = like.find('\n');
    if (line != std::string_view::npos && line + 1 < like.size() && like[line + 1] == '\t') {
        indent = 1;
        with = '\t';
    } else if (line != std::string_view::npos) {
        std::size_t member = like.find_first_not_of(' ', line + 1);
        if (member != std::string_view::npos && like[member] == '"' && member > line + 1 && member - line - 1 <= 8)
            indent = static_cast<int>(member - line - 1);
    }
    return json.dump(indent, with, false, Json::error_handler_t::replace) + "\n";
}

// Members are set and erased through this, so that each change is told.
class Editor {
  public:
    void set(Json &object, const std::string &name, Json value, std::string key) {
        auto found = object.find(name);
        if (found != object.end() && *found == value) return;
        changes_.push_back({std::move(key), found == object.end() ? "" : oci::to_text(*found), oci::to_text(value)});
        object[name] = std::move(value);
    }
    void erase(Json &object, const std::string &name, std::string key) {
        changes_.push_back({std::move(key), oci::to_text(object.at(name)), ""});
        object.erase(name);
    }
    // To what it is in `before`.
    void put_back(Json &object, const Json &before, const std::string &name, std::string key) {
        if (before.contains(name))
            set(object, name, before.at(name), std::move(key));
        else
            erase(object, name, std::move(key));
    }
    std::vector<DaemonJsonChange> changes() && { return std::move(changes_); }

  private:
    std::vector<DaemonJsonChange> changes_;
};

// nullptr where it is missing.
Result<Json *> object_in(Json &object, const char *name, const char *key) {
    auto found = object.find(name);
    if (found == object.end()) return nullptr;
    if (!found->is_object()) return wrong(key, "not an object");
    return &*found;
}

Result<void> set_experimental(Editor &editor, Json &root) {
    if (root.contains("experimental") && !root["experimental"].is_boolean())
        return wrong("experimental", "neither true nor false");
    editor.set(root, "experimental", true, "experimental");
    return {};
}

Result<void> set_runtime(Editor &editor, Json &root, const std::string &path) {
    HRUNC_ASSIGN(Json * runtimes, object_in(root, "runtimes", "runtimes"));
    Json entry{{"path", path}};
    if (runtimes == nullptr) {
        editor.set(root, "runtimes", Json{{"hrunc", entry}}, "runtimes");
        return {};
    }
    HRUNC_ASSIGN(Json * hrunc, object_in(*runtimes, "hrunc", "runtimes.hrunc"));
    if (hrunc == nullptr) {
        editor.set(*runtimes, "hrunc", entry, "runtimes.hrunc");
        return {};
    }
    if (hrunc->contains("runtimeType"))
        return wrong("runtimes.hrunc", "has \"runtimeType\", beside which Docker allows no \"path\"; take it out");
    editor.set(*hrunc, "path", path, "runtimes.hrunc.path");
    return {};
}

Result<void> unset_runtime(Editor &editor, Json &root, const Json &before, const std::string &path) {
    HRUNC_ASSIGN(Json * runtimes, object_in(root, "runtimes", "runtimes"));
    if (runtimes == nullptr) return {};
    HRUNC_ASSIGN(Json * hrunc, object_in(*runtimes, "hrunc", "runtimes.hrunc"));
    if (hrunc == nullptr) return {};
    Json runtimes_before = before.value("runtimes", Json::object());
    if (runtimes_before.contains("hrunc")) {
        // A path that is not this hrunc's was set by somebody since.
        if (hrunc->value("path", Json()) == path)
            editor.put_back(*hrunc, runtimes_before["hrunc"], "path", "runtimes.hrunc.path");
        return {};
    }
    if (root.value("default-runtime", Json()) == "hrunc")
        return Error(ErrorCode::kRefused, "\"default-runtime\" is \"hrunc\", and dockerd would not start without that "
                                          "runtime: set another one first");
    if (runtimes->size() == 1 && !before.contains("runtimes"))
        editor.erase(root, "runtimes", "runtimes");
    else
        editor.erase(*runtimes, "hrunc", "runtimes.hrunc");
    return {};
}

} // namespace

Result<DaemonJsonEdit> register_runtime(std::string_view text, const Registration &registration) {
    HRUNC_ASSIGN(Json root, parse(text));
    Editor editor;
    if (registration.experimental) HRUNC_TRY(set_experimental(editor, root));
    HRUNC_TRY(set_runtime(editor, root, registration.path));
    DaemonJsonEdit edit{std::string(text), std::move(editor).changes()};
    if (!edit.changes.empty()) edit.text = print(root, text);
    return edit;
}

Result<DaemonJsonEdit> unregister_runtime(std::string_view text, std::string_view before,
                                          const Registration &registration) {
    HRUNC_ASSIGN(Json root, parse(text));
    HRUNC_ASSIGN_IN(Json root_before, parse(before), "the backup");
    // What could not have been the text that register_runtime() took is not this file's backup.
    HRUNC_TRY_IN(register_runtime(before, registration), "the backup");
    Editor editor;
    if (registration.experimental && root.value("experimental", Json()) == true)
        if (root_before.value("experimental", Json()) != true)
            editor.put_back(root, root_before, "experimental", "experimental");
    HRUNC_TRY(unset_runtime(editor, root, root_before, registration.path));
    DaemonJsonEdit edit{std::string(text), std::move(editor).changes()};
    if (edit.changes.empty()) return edit;
    edit.text = root == root_before ? std::string(before) : print(root, text);
    return edit;
}

} // namespace hrunc::shim
