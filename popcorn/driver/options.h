// What popcorn-cc makes of the options of gcc and clang that are not simply the front end's.
#pragma once

#include <optional>
#include <string_view>

namespace hrunc::driver {

enum class Fate {
    kFront,  // the front end's, and its following word's if takes_value()
    kDrop,   // without effect here: hardening, tuning, static and position-independent code, link-time optimisation
    kUnused, // asks for one ISA's instructions: without effect, and said so
    kQuery,  // answered by the driver
};
Fate fate_of(std::string_view option);

// What to do instead, where an option asks for what cannot be built.
std::optional<std::string_view> refusal_of(std::string_view option);

// Whether the option's value is the next word.
bool takes_value(std::string_view option);

} // namespace hrunc::driver
