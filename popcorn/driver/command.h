// The command line of popcorn-cc, sorted into what the front end and what the linker is to see.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::driver {

enum class Stop {
    kLink,
    kObject,
    kAssembly,
    kPreprocess,
    kNothing
}; // kNothing: -fsyntax-only, -M, --version and so on

struct Command {
    Stop stop = Stop::kLink;
    std::string output;                          // empty: the default
    std::vector<std::string> front;              // options for the front end
    std::vector<std::string> sources;            // a path, or "-xLANGUAGE\1PATH" where a -x holds for it
    std::vector<std::string> link;               // inputs and options for the linker; a source is "\1" and its number
    std::string level = "2";                     // of the link
    bool optimises = false;                      // some -O was given
    bool standard_includes = true, show = false; // -nostdinc; -v or -###
};

// Expands response files, refuses what cannot be built for both ISAs (kRefused; the text says what to do instead).
Result<Command> parse_command(std::vector<std::string> words);

} // namespace hrunc::driver
