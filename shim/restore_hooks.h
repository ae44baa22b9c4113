// Around criu's restore: give it images that this host can run, and leave nothing behind if it failed.
#pragma once

#include <optional>
#include <vector>

#include "shim/cgroups.h"
#include "shim/operation_hooks.h"

namespace hrunc::shim {

class RestoreHooks : public OperationHooks {
  public:
    // `criu`: its process id; runc has put it into the new container's cgroup by the time of the request.
    RestoreHooks(const RunDirectory &run, const Context &context, pid_t criu)
        : OperationHooks(run, context), criu_(criu) {}

    Result<void> before_restore(criu_rpc::Options &options, const std::function<bool()> &client_is_gone) override;
    void after_restore(const criu_rpc::Response &response) override;
    void ended_without_answer() override;
    void notification(const criu_rpc::Notification &notification) override;

  private:
    Result<void> prepare(criu_rpc::Options &options, const std::function<bool()> &client_is_gone);
    Result<void> find_store(criu_rpc::Options &options, const std::function<bool()> &client_is_gone);
    Result<void> recode(criu_rpc::Options &options);
    Result<void> note_cgroup();

    pid_t criu_;
    std::vector<Membership> container_; // the new container's cgroup, if nobody else was in it
    std::optional<Fd> store_;           // see oci/image_store.h
    Fd source_, recoded_;               // image directories
    bool locks_network_ = false;
    Fd lock_; // see shim/network_lock.h; while the engine attaches the network
};

} // namespace hrunc::shim
