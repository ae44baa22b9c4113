// Around criu's dump: park the container's tasks before, describe the checkpoint after, and let the tasks run on if
// anything failed.
#pragma once

#include <optional>

#include "oci/image_store.h"
#include "shim/manifest.h"
#include "shim/operation_hooks.h"
#include "shim/park.h"

namespace hrunc::shim {

class DumpHooks : public OperationHooks {
  public:
    using OperationHooks::OperationHooks;

    Result<void> before_dump(criu_rpc::Options &options) override;
    void after_dump(const criu_rpc::Response &response) override;
    void ended_without_answer() override;
    void notification(const criu_rpc::Notification &notification) override;

  private:
    Result<void> prepare(criu_rpc::Options &options);
    Result<void> park(const criu_rpc::Options &options);
    void release();

    Result<void> tell_of_the_park() const;

    // See oci/image_store.h.
    std::optional<Fd> store_;
    std::optional<oci::Filling> filling_;
    std::string engines_images_; // the image directory that runc named, where there is a store
    std::optional<Park> park_;
    Manifest manifest_;
    bool leave_running_ = false;
};

} // namespace hrunc::shim
