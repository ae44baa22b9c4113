// The output directory while it is made: a hidden one beside its place, which appears under its name only when
// complete.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "recode/image_file.h"

namespace hrunc::recode {

inline constexpr std::uint64_t kMaxCopiedFile = std::uint64_t{64} << 10; // bytes; larger files are linked to

class Staging {
  public:
    // `output` must not exist, its parent directory must. `source`: the directory of the images that these add to; the
    // link to it is relative, because CRIU follows it inside the restored container's root.
    static Result<Staging> make(const std::string &output, const std::string &source);
    Staging(Staging &&other) noexcept;
    Staging &operator=(Staging &&) = delete;
    ~Staging(); // removes what was not committed

    Result<void> write(const Image &image);
    Result<void> write(const std::string &name, std::string_view bytes);
    // The source's file of this name, unchanged: a copy of a small one, a link through `parent` to a large one.
    Result<void> carry(const Fd &source, const std::string &name);
    bool has(const std::string &name) const { return names_.count(name) != 0; }

    std::uint64_t bytes_written() const { return bytes_; }
    // Everything to the disk, and the directory to its place.
    Result<void> commit();

  private:
    Staging() = default;
    Result<void> sync() const;

    Fd parent_, directory_; // the place's directory, and the staging directory
    std::string hidden_, name_;
    std::set<std::string> names_;
    std::uint64_t bytes_ = 0;
};

} // namespace hrunc::recode
