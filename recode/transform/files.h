// The file table for another ISA.
#pragma once

#include <cstdint>
#include <map>

#include "arch/isa.h"
#include "recode/image_file.h"
#include "recode/transform/executables.h"

namespace hrunc::recode {

// Open flags of every kind of file by the target's numbers; name, size, mode and build id of the programs in
// `programs` (by file id) as they are on the target.
void recode_files(Image &files, const std::map<std::uint32_t, TargetProgram> &programs, arch::Isa from, arch::Isa to);

// The regular file of this id; null if there is none.
const images::RegularFile *regular_file(const Image &files, std::uint32_t id);

} // namespace hrunc::recode
