// The parts of a report that are about open files. For inspect.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "recode/image_directory.h"
#include "recode/outline.h"

namespace hrunc::recode {

inline constexpr std::size_t kMaxDescriptors = std::size_t{4} << 20; // of all processes together

struct Executable {
    std::string path, build_id; // the build id in hexadecimal
};

// The mapped executables of all living processes by file id; a first pass over files.img.
Result<std::map<std::uint32_t, Executable>> find_executables(const ImageDirectory &images,
                                                             const std::vector<std::uint32_t> &wanted);

// All open files, each with the descriptors that it is open as.
Result<void> report_files(const ImageDirectory &images, Outline &out);

} // namespace hrunc::recode
