// Where a container's images lie when they are to stay out of the engine's hands.
//
// Docker has containerd pack what is in a checkpoint's image directory, and copies it twice more; at a restore again.
// So who moves a container makes a directory of the container's own, the image store, before it asks for the
// checkpoint. hrunc has criu dump into the store, and leaves a note in the image directory, which is all that Docker
// then copies, beside what runc writes there itself. A restore from an image directory with a note takes the images
// from the store of the container that is restored, and waits for them if they are still to come: so all that the
// engine has to do for it can be done before there are any. The store belongs to who made it: hrunc makes none, and
// removes none.
//
//     /var/lib/hrunc/images/ID/    0700, root's; HRUNC_IMAGE_STORE names another place than /var/lib/hrunc/images
//         incomplete               there until all images are; held (flock) by who fills the store, and, where that is
//                                  for another host, touched every ten seconds: it may die without a word
//         awaited                  there once a restore waits for the images
//         descriptors.json         as runc writes it beside the images of a checkpoint: what the stdio of the
//                                  container's first process was. When it is there, the container stands still.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::oci {

inline constexpr const char *kImageStoreNote = "hrunc-images"; // an empty file in the image directory
inline constexpr const char *kIncomplete = "incomplete";
inline constexpr const char *kAwaited = "awaited";
inline constexpr const char *kDescriptors = "descriptors.json";
// In place of a checkpoint's descriptors.json, for a restore that begins before there is one: runc connects its own
// stdio under these names, which the restore then replaces.
inline constexpr const char *kDescriptorsToCome = R"(["pipe:[hrunc-0]","pipe:[hrunc-1]","pipe:[hrunc-2]"])";

// /var/lib/hrunc/images.
std::string image_store_root();
// The path of a container's store, whether it is there or not.
std::string image_store(const std::string &container_id);

// The container's store, opened; nothing: it has none. An error if the id is not one path component, or if the store is
// anything but a directory which the caller alone can enter.
Result<std::optional<Fd>> open_image_store(const std::string &container_id);

// Holds a store as incomplete, until end(). What has gone without it leaves a store that nobody restores from.
class Filling {
  public:
    static Result<Filling> begin(const Fd &store);
    Result<void> end(const Fd &store);

  private:
    explicit Filling(Fd lock) : lock_(std::move(lock)) {}
    Fd lock_;
};

// How often who fills a store for another host touches the lock, and how long a restore waits for that.
inline constexpr std::chrono::milliseconds kAliveEvery = std::chrono::seconds(10), kPatience = std::chrono::minutes(2);

// Waits until the store of this container, opened as `store`, is complete. An error if nobody fills it any more, if it
// was removed, if the lock was not touched for as long as `patience`, or if `given_up` (which is asked now and then)
// says so.
Result<void> wait_for_images(const Fd &store, const std::string &container_id, const std::function<bool()> &given_up,
                             std::chrono::milliseconds patience = kPatience);

// Copies runc's descriptors.json from a checkpoint's image directory into the store; both are paths.
Result<void> keep_descriptors(const std::string &images, const std::string &store);
// What the store's descriptors.json says of the descriptors 0, 1 and 2, as "pipe:[123]" or "/dev/null"; empty: it is
// not there.
Result<std::vector<std::string>> read_descriptors(const Fd &store);
// The same, of its content.
Result<std::vector<std::string>> descriptors_from(std::string_view text);

} // namespace hrunc::oci
