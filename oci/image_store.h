// Where a container's images lie when they are to stay out of the engine's hands.
//
// Docker has containerd pack what is in a checkpoint's image directory, and copies it twice more; at a restore again.
// So who moves a container makes a directory of the container's own, the image store, before it asks for the
// checkpoint. hrunc has criu dump into the store, and leaves a note in the image directory, which is all that Docker
// then copies, beside what runc writes there itself. A restore from an image directory with a note takes the images
// from the store of the container that is restored. The store belongs to who made it: hrunc makes none, and removes
// none.
//
//     /var/lib/hrunc/images/ID/    0700, root's; HRUNC_IMAGE_STORE names another place than /var/lib/hrunc/images
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::oci {

inline constexpr const char *kImageStoreNote = "hrunc-images"; // an empty file in the image directory

// /var/lib/hrunc/images.
std::string image_store_root();
// The path of a container's store, whether it is there or not.
std::string image_store(const std::string &container_id);

// The container's store, opened; nothing: it has none. An error if the id is not one path component, or if the store is
// anything but a directory which the caller alone can enter.
Result<std::optional<Fd>> open_image_store(const std::string &container_id);

} // namespace hrunc::oci
