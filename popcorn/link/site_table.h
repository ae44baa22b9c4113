// The table of return addresses of a linked executable: for each call from which the runtime may have to capture, where
// the caller's registers and the recorded values lie. Layout: popcorn/runtime/sites.h.
//
// A site's "deopt" bundle has, as constants: flags; the number of objects on the stack; the number of wide values, and
// for each of those its place among the locations << 8 | its words. Then the locations: the objects, two floors if
// kBundleFloors, the values. With kBundleArray one location stands for objects and floors, an array that holds them.
#pragma once

#include "base/result.h"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace hrunc::popcorn {

struct SiteTable {
    std::vector<std::uint8_t> bytes; // the section's contents
    // Each site's number, and what all ISAs have to agree on: allocas, floors, words of each value.
    std::map<std::uint64_t, std::vector<std::uint8_t>> shapes;
};

// From the bytes of a linked ELF file for x86-64 or aarch64 that still has .llvm_stackmaps and .eh_frame or
// .debug_frame. Fails with kInvalid where the file breaks its format, with kInternal where the code generator recorded
// something that the runtime cannot follow (the text names site and function).
Result<SiteTable> make_site_table(std::span<const std::uint8_t> elf);

// Fails with kInternal if two executables of one program disagree in a site.
Result<void> check_equal_shapes(const SiteTable &a, const SiteTable &b);

// The tables of a program's two executables, given by their paths; checks that they agree.
Result<std::array<std::string, 2>> make_site_tables(const std::array<std::string, 2> &executables);

} // namespace hrunc::popcorn
