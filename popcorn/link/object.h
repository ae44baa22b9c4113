// What the aligned link needs of ELF objects: allocated sections, undefined and defined symbols.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::link {

struct Section {
    std::string name;
    uint64_t size, align;
    bool write, code, zero, merge; // zero: without contents in the file
};

struct Object {
    std::string path;
    std::vector<Section> sections; // allocated
    std::set<std::string> defined, undefined;
    // The program's code, the native runtime, or a helper of the code generators, which has no slots.
    enum class Kind { kProgram, kRuntime, kHelper } kind = Kind::kProgram;
};

Result<Object> read_object(const std::string &path);

// The members of archives of native code (libgcc) that define what `undefined` names, and what those need in turn; each
// is written into `directory`. Symbols that no archive has stay in `undefined`.
Result<std::vector<std::string>> take_native(const std::vector<std::string> &archives, const std::string &directory,
                                             const std::set<std::string> &defined, std::set<std::string> &undefined);

} // namespace hrunc::link
