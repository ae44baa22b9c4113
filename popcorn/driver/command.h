// The command line of popcorn-cc, sorted into what the front end and what the linker is to see.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::driver {

// In the order of precedence: of `-c -S -E` the last one counts wherever it stands.
enum class Stop {
    kLink,
    kObject,
    kHeader, // a precompiled header
    kAssembly,
    kPreprocess,
    kNothing // -fsyntax-only, -M
};

struct Source {
    std::string path;     // "-": standard input
    std::string language; // of -x; empty: the suffix says it
};

struct LinkItem {
    std::string word;             // an input or an option, for the linker
    std::optional<size_t> source; // the object of that one of Command::sources stands here instead
};

struct Command {
    Stop stop = Stop::kLink;
    std::string output;             // empty: the default
    std::string query;              // --version, -print-...: answer it, and do nothing else
    std::vector<std::string> front; // options for the front end
    std::vector<Source> sources;
    std::vector<LinkItem> link;
    std::vector<std::string> unused; // options that ask for one ISA's instructions
    bool unused_told = true, unused_fails = false;
    std::string level = "2";        // of the link
    bool standard_includes = true;  // no -nostdinc
    bool dependencies = false;      // -MD, -MMD, with the default's
    bool dependency_file = false;   // place,
    bool dependency_target = false; // target
    bool show = false, run = true;  // -v; -### shows and does not run
};

// Expands response files, refuses what cannot be built for both ISAs (kRefused; the text says what to do instead).
Result<Command> parse_command(std::vector<std::string> words);

} // namespace hrunc::driver
