#include "shim/dump_hooks.h"

#include "shim/log.h"

namespace hrunc::shim {

Result<void> DumpHooks::before_dump(criu_rpc::Options &options) {
    Result<void> ready = begin(options);
    if (ready) ready = park(options);
    if (!ready) return refused(std::move(ready).error());
    return {};
}

Result<void> DumpHooks::park(const criu_rpc::Options &options) {
    Step step("parking the container");
    const Config &config = context().config;
    ParkRequest request;
    request.init = options.pid();
    request.freezer = options.freeze_cgroup();
    request.target = config.target.value_or(arch::other(arch::host()));
    request.timeout = config.notify_timeout;
    request.refuse_unmigratable = config.unmigratable == Unmigratable::kRefuse;
    request.save_journal = [this](const std::string &journal) { return run().write_journal(journal); };
    Result<Park> parked = Park::park(request);
    if (!parked) {
        run().remove_journal();
        return std::move(parked).error();
    }
    park_ = std::move(parked).value();
    manifest_ = make_manifest(run(), context(), park_->tasks()); // later there may be no tasks to ask
    return {};
}

void DumpHooks::after_dump(const criu_rpc::Response &response) {
    if (response.success()) {
        Result<void> described = write_manifest(images(), manifest_);
        if (!described) log(LogLevel::kWarning, "describe the checkpoint: " + described.error().text());
    }
    // Tasks that were dumped for good are gone; then what is left to do is the cgroup.
    release();
    if (!response.success()) report_failure(response);
}

void DumpHooks::ended_without_answer() {
    release();
    report_end_without_answer();
}

void DumpHooks::release() {
    Result<void> released = park_->release();
    park_.reset();
    if (released)
        run().remove_journal();
    else
        log(LogLevel::kWarning, "let the container run on: " + released.error().text());
}

} // namespace hrunc::shim
