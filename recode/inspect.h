// What is in a checkpoint, for people (indented text) and for programs (JSON). Works on images of both ISAs, and on an
// image directory of any size: what can be large is read and written piece by piece.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "recode/outline.h"

namespace hrunc::recode {

struct InspectOptions {
    Outline::Format format = Outline::Format::kText;
    bool pages = false; // each run of dumped pages of each process
};

// Writes the report to `sink` in pieces. Names from the images are made printable (recode/text.h) in both formats.
// Image directories that ImageDirectory refuses are refused before anything is written; an error that turns up later
// leaves the report unfinished.
Result<void> inspect(const std::string &path, const InspectOptions &options, const Outline::Sink &sink);
Result<void> inspect(Fd directory, const InspectOptions &options, const Outline::Sink &sink);

} // namespace hrunc::recode
