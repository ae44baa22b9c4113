// Names from images in messages and on terminals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hrunc::recode {

// Everything but printable ASCII as \xNN, and the backslash doubled: nothing in a hostile name reaches a terminal, and
// the name can be had back.
std::string printable(std::string_view bytes);

// The same between double quotes, cut after 200 bytes; for messages.
std::string quoted(std::string_view bytes);

// "0x7fff0000".
std::string hex(std::uint64_t value);

} // namespace hrunc::recode
