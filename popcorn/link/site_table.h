// The table of return addresses of a linked executable: for each call from which the runtime may have to capture, where
// the caller's registers and the recorded values lie. Layout: popcorn/runtime/sites.h.
//
// A site's "deopt" bundle has, as constants: flags; the number of objects on the stack; the number of wide values, and
// for each of those its place among the locations << 8 | its words. Then the locations: the objects, two floors if
// kBundleFloors, the values. With kBundleObjects one location stands for objects and floors: a copy of a frame record
// that begins with them. With kBundleCopy it stands for the values, too, and for the site's number.
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
    // Each site's number, and what all ISAs have to agree on: allocas, floors, words of each value (none of a copy).
    std::map<std::uint64_t, std::vector<std::uint8_t>> shapes;
    // Of each function with sites, by its number: bytes of stack that it takes, it or its resume function.
    std::map<std::uint32_t, std::uint64_t> frames;
};

// From the bytes of a linked ELF file for x86-64 or aarch64 that still has .llvm_stackmaps and .eh_frame or
// .debug_frame. Fails with kInvalid where the file breaks its format, with kInternal where the code generator recorded
// something that the runtime cannot follow (the text names site and function).
Result<SiteTable> make_site_table(std::span<const std::uint8_t> elf);

// Fails with kInternal if two executables of one program disagree in a site. Else tells each table what frames take on
// the other ISA.
Result<void> make_agree(SiteTable &a, SiteTable &b);

// The tables of a program's two executables, given by their paths, which agree.
Result<std::array<std::string, 2>> make_site_tables(const std::array<std::string, 2> &executables);

} // namespace hrunc::popcorn
