// A process's mappings made to fit the target: the kernel's own areas exchanged, nothing above what it can hold.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "arch/isa.h"
#include "base/result.h"
#include "recode/host.h"
#include "recode/images/memory.pb.h"

namespace hrunc::recode {

inline constexpr std::uint64_t kMaxMovedStack = std::uint64_t{8} << 20; // bytes

struct AddressRange {
    std::uint64_t start = 0, end = 0;
    bool contains(std::uint64_t address) const { return address >= start && address < end; }
};

// What the change of the mappings asks of the pages. Ranges are in address order and do not overlap.
struct AddressSpaceChange {
    std::vector<AddressRange> dropped; // pages in these are not carried
    std::uint64_t vdso = 0;            // where Host.vdso goes
    AddressRange moved;                // pages that go to `moved_to` (this range is in `dropped` too); often empty
    std::uint64_t moved_to = 0;
};

// Changes `mm`. `replaced_files`: ids of mapped files that are another file on the target; pages of their code that
// the dump holds are the source's and are dropped. Errors: kRefused for what the target cannot hold, kInvalid for
// mappings that are no address space.
Result<AddressSpaceChange> recode_address_space(images::AddressSpace &mm, const std::set<std::uint64_t> &replaced_files,
                                                arch::Isa from, const Host &target);

} // namespace hrunc::recode
