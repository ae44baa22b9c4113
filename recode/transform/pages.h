// The pages of a recoded process. Its pages file is not rewritten: the new pagemap says of every run of pages that does
// not change that it is in the parent directory, as an incremental image of CRIU's does, and only the others are in a
// new, small pages file. CRIU (criu/pagemap.c, 3.17 to 4.2) follows `parent` and reads a run that is marked so with
// whatever entries the parent has for it, so runs may be cut and joined; soft-dirty tracking plays no part in a
// restore.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "recode/image_file.h"
#include "recode/memory.h"
#include "recode/transform/address_space.h"

namespace hrunc::recode {

struct NewPages {
    std::uint64_t address = 0;
    std::string bytes; // whole pages
};

struct PageChange {
    std::uint64_t written = 0, in_parent = 0; // pages
    std::string bytes;                        // of the new pages file
};

// Fills `out` (an empty pagemap image, whose pages file gets the number `pages_id`) with what `source` has, without the
// pages in `dropped` (in address order, not overlapping), and with `added`. Pages that stand in no image (a lazy dump)
// are kRefused.
Result<PageChange> recode_pagemap(const Pagemap &source, std::uint32_t pages_id,
                                  const std::vector<AddressRange> &dropped, std::vector<NewPages> added, Image &out);

} // namespace hrunc::recode
