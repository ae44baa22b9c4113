// Typed look-ups in a document, for the readers of this folder and of the configuration. `path` is dotted:
// "process.user.uid". What is missing or null is the default; another type is an error that names the member.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "oci/json.h"

namespace hrunc::oci {

// nullptr where it is missing or null.
Result<const Json *> find_member(const Json &document, std::string_view path);

Result<std::string> text_at(const Json &document, std::string_view path);
Result<bool> flag_at(const Json &document, std::string_view path);
Result<std::uint64_t> number_at(const Json &document, std::string_view path, std::uint64_t limit);
Result<std::map<std::string, std::string>> texts_by_name_at(const Json &document, std::string_view path);
// An empty list where it is missing.
Result<std::vector<const Json *>> list_at(const Json &document, std::string_view path);

// "an object", "a list", "a string", "a number", "a boolean", "null".
std::string_view kind_of(const Json &value);

} // namespace hrunc::oci
