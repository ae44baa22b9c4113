#include "shim/dump_hooks.h"

#include "oci/image_store.h"
#include "shim/log.h"

namespace hrunc::shim {

Result<void> DumpHooks::before_dump(criu_rpc::Options &options) {
    Result<void> ready = prepare(options);
    if (ready) ready = park(options);
    if (ready) ready = tell_of_the_park();
    if (!ready && park_) release();
    if (!ready) return refused(std::move(ready).error());
    criu_begins();
    return {};
}

Result<void> DumpHooks::prepare(criu_rpc::Options &options) {
    HRUNC_TRY(begin(options));
    HRUNC_ASSIGN_IN(store_, oci::open_image_store(context().id), "image store");
    if (!store_) return {};
    // Before the dump: afterwards it is too late for an error.
    HRUNC_ASSIGN(filling_, oci::Filling::begin(*store_));
    engines_images_ = images();
    HRUNC_TRY(write_file_atomically(images() + "/" + oci::kImageStoreNote, "", 0600));
    return use_images(options, *store_);
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
    // Without notifications nobody would say when to let go of them.
    request.hold_listeners = options.tcp_established() && options.notify_scripts();
    leave_running_ = options.leave_running();
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

// The container stands still; whoever made the store can do with its files what he has to.
Result<void> DumpHooks::tell_of_the_park() const {
    if (!store_) return {};
    return oci::keep_descriptors(engines_images_, images());
}

// criu says this right after it has locked the network, before it looks at sockets (cr_dump_tasks() of CRIU's
// criu/cr-dump.c).
void DumpHooks::notification(const criu_rpc::Notification &notification) {
    if (notification.script() != "query-ext-files" || !park_) return;
    if (Result<void> set_free = park_->set_listeners_free(); !set_free)
        log(LogLevel::kWarning, set_free.error().text());
}

void DumpHooks::after_dump(const criu_rpc::Response &response) {
    criu_ends();
    if (response.success()) {
        Result<void> described = write_manifest(images(), manifest_);
        if (!described) log(LogLevel::kWarning, "describe the checkpoint: " + described.error().text());
        if (filling_)
            if (Result<void> complete = filling_->end(*store_); !complete)
                log(LogLevel::kWarning, complete.error().text());
        if (!leave_running_) park_->reset_unaccepted();
    }
    // Tasks that were dumped for good are gone; then what is left to do is the cgroup.
    release();
    if (!response.success()) report_failure(response);
}

void DumpHooks::ended_without_answer() {
    criu_ends();
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
