// From a pair of objects to a pair of executables in one layout.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "popcorn/link/object.h"
#include "popcorn/link/options.h"
#include "popcorn/link/program.h"
#include "popcorn/link/workspace.h"

namespace hrunc::link {

// The native runtime: DIR/ISA/*.o, and DIR/ISA/libgcc.a for what code generators call.
struct Runtime {
    std::array<std::vector<Object>, 2> objects;
    std::array<std::vector<std::string>, 2> archives;
    std::set<std::string> defined; // by all ISAs
    std::set<std::string> needed;  // by any, and defined by none: the program has to define it
};
Result<Runtime> read_runtime(const std::string &directory);

// What the objects need that neither they nor the runtime has.
Result<std::set<std::string>> missing_symbols(const std::array<std::string, 2> &objects, const Runtime &runtime,
                                              const Workspace &work);

// Links both, makes the site tables and links again where there are any, verifies, and puts the files in place.
Result<void> link_executables(const Options &options, const SiteTables &sites, const Runtime &runtime,
                              const std::array<std::string, 2> &objects, const Workspace &work);

} // namespace hrunc::link
