// The files that move along: a container's writable layer, and its volumes if asked for. They go ahead while the
// container runs, and those directories again that have changed by the time that it stands still.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "migrate/container.h"
#include "migrate/transfer.h"

namespace hrunc::migrate {

class Files {
  public:
    // From `source` here to `target` on another host, whose Docker keeps its own in the root directories. The volumes
    // go into those that the target has at the same places.
    static Result<Files> between(const Container &source, const std::string &source_root, const Container &target,
                                 const std::string &target_root, bool volumes);

    // Gives the bytes that were sent.
    Result<std::uint64_t> send_ahead(const Host &host, const Counter &counter);
    // Whether the layer is as it was sent. What is mounted on the target must not change any more.
    bool layer_is_sent() const;
    // Those that have changed since; the layer is the first.
    std::vector<Parcel> changed() const;
    bool is_layer(const Parcel &parcel) const { return parcel.from == parcels_.front().from; }

  private:
    std::vector<Parcel> parcels_;                      // the layer, then the volumes
    std::vector<std::optional<std::uint64_t>> states_; // in which they were sent
};

} // namespace hrunc::migrate
