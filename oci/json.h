// Reading JSON documents that others wrote: config.json, state.json, hrunc.json. Trees keep the order of members and
// whatever hrunc does not know, so that writing one back loses nothing.
//
// A document is refused if it is larger than its limit, nested deeper than kJsonDepth, has an object of more than
// kJsonMembers members, or names a member twice (RFC 8259 leaves open which of the two counts, so two readers may
// disagree on what was asked for). No comments. Parsing does not recurse.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hrunc::oci {

using Json = nlohmann::ordered_json;

inline constexpr std::size_t kJsonDepth = 64;
inline constexpr std::size_t kJsonMembers = 1024; // look-ups in ordered objects are linear

// Errors say line and column, both from 1; columns count bytes.
Result<Json> parse_json(std::string_view text);
// A regular file of at most `limit` bytes; anything else is refused without waiting for it. Errors quote the path.
Result<Json> read_json(const std::string &path, std::size_t limit);

// As JSON text; what is no UTF-8 is replaced. `indent` below 0: on one line.
std::string to_text(const Json &json, int indent = -1);

// For messages: between double quotes, control characters escaped, cut after 200 bytes.
std::string in_quotes(std::string_view text);

} // namespace hrunc::oci
