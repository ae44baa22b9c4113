#include "shim/restore_hooks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "oci/document.h"
#include "oci/image_store.h"
#include "oci/json.h"
#include "recode/host.h"
#include "recode/recode.h"
#include "shim/criu_log.h"
#include "shim/log.h"
#include "shim/network_lock.h"
#include "shim/park.h"

namespace hrunc::shim {

namespace {

// The new container's cgroup, of which every image path is to be below: runc has put criu there. (What runc itself
// tells, cg_root, is not there with cgroup v2 before runc 1.2.) Hierarchies that runc does not manage stay at their
// root.
std::string cgroup_of(const std::vector<Membership> &criu) {
    for (const Membership &membership : criu)
        if (membership.path != "/") return membership.path;
    return "";
}

// Not the host's, nor one that others are in already.
bool has_its_own_network(const oci::Bundle &bundle) {
    return std::ranges::any_of(bundle.namespaces,
                               [](const oci::Namespace &one) { return one.type == "network" && one.path.empty(); });
}

// Runc's own stdio under the names that the images have for it, where runc had only oci::kDescriptorsToCome.
void name_descriptors(criu_rpc::Options &options, const std::vector<std::string> &names) {
    auto *inherited = options.mutable_inherit_fd();
    for (int at = inherited->size() - 1; at >= 0; --at) {
        criu_rpc::InheritedDescriptor &one = *inherited->Mutable(at);
        for (std::size_t number = 0; number < 3; ++number) {
            if (one.key() != "pipe:[hrunc-" + std::to_string(number) + "]") continue;
            if (number < names.size() && names[number].find("pipe:") != std::string::npos)
                one.set_key(names[number]);
            else
                inherited->DeleteSubrange(at, 1);
            break;
        }
    }
}

} // namespace

Result<void> RestoreHooks::before_restore(criu_rpc::Options &options, const std::function<bool()> &client_is_gone) {
    Result<void> ready = prepare(options, client_is_gone);
    if (!ready) {
        run().remove_images();
        return refused(std::move(ready).error());
    }
    criu_begins();
    return {};
}

Result<void> RestoreHooks::prepare(criu_rpc::Options &options, const std::function<bool()> &client_is_gone) {
    HRUNC_TRY(begin(options));
    if (options.tcp_established() && context().config.network_lock != NetworkLock::kSkip) {
        HRUNC_ASSIGN(oci::Bundle bundle, oci::read_bundle(context().bundle));
        locks_network_ = has_its_own_network(bundle);
    }
    HRUNC_TRY(note_cgroup());
    HRUNC_TRY(find_store(options, client_is_gone));
    HRUNC_ASSIGN(recode::Host host, recode::this_host());
    HRUNC_ASSIGN(recode::Needs needs, recode::examine(images(), host));
    return needs.recode ? recode(options) : Result<void>();
}

Result<void> RestoreHooks::find_store(criu_rpc::Options &options, const std::function<bool()> &client_is_gone) {
    if (access((images() + "/" + oci::kImageStoreNote).c_str(), F_OK) != 0) return {};
    HRUNC_ASSIGN_IN(store_, oci::open_image_store(context().id), "image store");
    if (!store_)
        return Error(ErrorCode::kRefused, "the images of this checkpoint were kept apart from it, in " +
                                              oci::in_quotes(oci::image_store(context().id)) +
                                              ", which is gone: restore another checkpoint");
    {
        Step step("waiting for the images");
        HRUNC_TRY_IN(oci::wait_for_images(*store_, context().id, client_is_gone), "image store");
    }
    HRUNC_ASSIGN_IN(std::vector<std::string> descriptors, oci::read_descriptors(*store_), "image store");
    name_descriptors(options, descriptors);
    // criu logs into its image directory unless it has another to work in.
    if (!options.has_work_dir_fd()) options.set_work_dir_fd(options.images_dir_fd());
    return use_images(options, *store_);
}

Result<void> RestoreHooks::recode(criu_rpc::Options &options) {
    Step step("recoding the checkpoint");
    if (options.lazy_pages())
        return Error(ErrorCode::kRefused, "lazy pages: images that have to be recoded cannot be restored lazily");
    if (std::string other = configured(options.config_file(), "images-dir"); !other.empty())
        return Error(ErrorCode::kRefused,
                     "\"" + options.config_file() + "\": images-dir \"" + other + "\" would hide the recoded images");
    HRUNC_ASSIGN(oci::Bundle bundle, oci::read_bundle(context().bundle));
    recode::Request request;
    request.images = images();
    request.output = run().images();
    HRUNC_ASSIGN(request.target, recode::this_host());
    request.root = options.root();
    for (const oci::Mount &mount : bundle.mounts)
        if (mount.bind) request.mounts[mount.destination] = mount.source;
    request.seccomp_profile = bundle.seccomp;
    request.no_new_privileges = bundle.no_new_privileges;
    request.cgroup_path = cgroup_of(container_);
    HRUNC_ASSIGN(recode::Report report, recode::recode(request));
    for (const std::string &note : report.notes) log(LogLevel::kInfo, note);

    HRUNC_ASSIGN(source_, open_file(images(), O_RDONLY | O_DIRECTORY));
    HRUNC_ASSIGN(recoded_, open_file(run().images(), O_RDONLY | O_DIRECTORY));
    // criu logs into its image directory unless it has another to work in.
    if (!options.has_work_dir_fd()) options.set_work_dir_fd(source_.get());
    options.set_images_dir_fd(recoded_.get());
    return {};
}

Result<void> RestoreHooks::note_cgroup() {
    HRUNC_ASSIGN(std::vector<Membership> memberships, memberships_of(criu_));
    if (!is_alone_in(memberships, criu_)) return {};
    container_ = std::move(memberships);
    return run().note_cgroup(to_text(container_));
}

// Between the two the client (runc) has the engine attach the network, and criu locks it itself; the pid comes with the
// first alone (restore_root_task() of CRIU's criu/cr-restore.c, send_criu_rpc_script() of its criu/cr-service.c).
void RestoreHooks::notification(const criu_rpc::Notification &notification) {
    if (notification.script() == "post-setup-namespaces") lock_.reset();
    if (notification.script() != "setup-namespaces" || !locks_network_) return;
    Result<Fd> locked = lock_network_of(notification.pid());
    if (!locked) {
        log(LogLevel::kWarning, "clients that send before criu locks the network may be reset: process " +
                                    std::to_string(notification.pid()) + ": " + locked.error().text() +
                                    "; it takes Linux 5.12 or later, with nf_tables");
        return;
    }
    lock_ = std::move(locked).value();
}

void RestoreHooks::after_restore(const criu_rpc::Response &response) {
    criu_ends();
    lock_.reset();
    run().remove_images();
    if (!response.success()) {
        report_failure(response);
        return;
    }
    run().forget_cgroup();
    if (recoded_ || !response.restore().has_pid()) return;
    Result<void> released = Park::release_restored(response.restore().pid());
    if (!released) log(LogLevel::kWarning, "let the restored processes run on: " + released.error().text());
}

void RestoreHooks::ended_without_answer() {
    criu_ends();
    lock_.reset();
    // What criu had restored by then waits for it for ever. The cgroup itself is runc's to remove, while it lives.
    if (!container_.empty()) kill_all_in(container_, false);
    run().remove_images();
    report_end_without_answer();
}

} // namespace hrunc::shim
