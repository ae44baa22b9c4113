#include "oci/fields.h"

namespace hrunc::oci {

namespace {

Error wrong_kind(std::string_view path, std::string_view expected, const Json &value) {
    std::string where = path.empty() ? "" : std::string(path) + ": ";
    return {ErrorCode::kInvalid, where + std::string(expected) + " is expected, not " + std::string(kind_of(value))};
}

} // namespace

std::string_view kind_of(const Json &value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "a list";
    if (value.is_string()) return "a string";
    if (value.is_boolean()) return "a boolean";
    return value.is_number() ? "a number" : "null";
}

Result<const Json *> find_member(const Json &document, std::string_view path) {
    const Json *at = &document;
    for (std::size_t start = 0;;) {
        if (!at->is_object()) {
            std::string_view outer = start == 0 ? std::string_view() : path.substr(0, start - 1);
            return wrong_kind(outer, "an object", *at);
        }
        std::size_t end = std::min(path.find('.', start), path.size());
        auto member = at->find(std::string(path.substr(start, end - start)));
        if (member == at->end() || member->is_null()) return nullptr;
        at = &*member;
        if (end == path.size()) return at;
        start = end + 1;
    }
}

Result<std::string> text_at(const Json &document, std::string_view path) {
    HRUNC_ASSIGN(const Json *value, find_member(document, path));
    if (value == nullptr) return std::string();
    if (!value->is_string()) return wrong_kind(path, "a string", *value);
    return value->get_ref<const std::string &>();
}

Result<bool> flag_at(const Json &document, std::string_view path) {
    HRUNC_ASSIGN(const Json *value, find_member(document, path));
    if (value == nullptr) return false;
    if (!value->is_boolean()) return wrong_kind(path, "a boolean", *value);
    return *value->get_ptr<const bool *>();
}

Result<std::uint64_t> number_at(const Json &document, std::string_view path, std::uint64_t limit) {
    HRUNC_ASSIGN(const Json *value, find_member(document, path));
    if (value == nullptr) return std::uint64_t{0};
    const auto *number = value->get_ptr<const std::uint64_t *>();
    if (number == nullptr) return wrong_kind(path, "a whole number of 0 or more", *value);
    if (*number > limit)
        return Error(ErrorCode::kInvalid, std::string(path) + ": " + std::to_string(*number) +
                                              " is above the limit of " + std::to_string(limit));
    return *number;
}

Result<std::map<std::string, std::string>> texts_by_name_at(const Json &document, std::string_view path) {
    HRUNC_ASSIGN(const Json *value, find_member(document, path));
    std::map<std::string, std::string> texts;
    if (value == nullptr) return texts;
    if (!value->is_object()) return wrong_kind(path, "an object", *value);
    for (const auto &[name, text] : value->items()) {
        if (!text.is_string()) return wrong_kind(std::string(path) + " " + in_quotes(name), "a string", text);
        texts.emplace(name, text.get_ref<const std::string &>());
    }
    return texts;
}

Result<std::vector<const Json *>> list_at(const Json &document, std::string_view path) {
    HRUNC_ASSIGN(const Json *value, find_member(document, path));
    std::vector<const Json *> list;
    if (value == nullptr) return list;
    if (!value->is_array()) return wrong_kind(path, "a list", *value);
    for (const Json &element : *value) list.push_back(&element);
    return list;
}

} // namespace hrunc::oci
