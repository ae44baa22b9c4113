#include "recode/transform/container.h"

#include <linux/seccomp.h>

#include <algorithm>

namespace hrunc::recode {

namespace {

Error refused(std::string text) {
    return Error(ErrorCode::kRefused, std::move(text));
}

struct Mode {
    std::uint32_t mode = SECCOMP_MODE_DISABLED;
    std::optional<std::uint32_t> filter;
};

// Per thread; in CRIU before 3.17's images of the first thread only, in another place.
Mode mode_of(const images::Core &core) {
    Mode mode;
    if (core.thread().has_seccomp_mode()) {
        mode.mode = core.thread().seccomp_mode();
        if (core.thread().has_seccomp_filter()) mode.filter = core.thread().seccomp_filter();
    } else if (core.task().has_old_seccomp_mode()) {
        mode.mode = core.task().old_seccomp_mode();
        if (core.task().has_old_seccomp_filter()) mode.filter = core.task().old_seccomp_filter();
    }
    return mode;
}

Result<void> check_filter(const Mode &mode, const images::Seccomp &filters, bool container_has_profile) {
    if (!container_has_profile)
        return refused("has a seccomp filter, and the container has no profile to build it from for this host: start "
                       "the container with the seccomp profile that it ran with");
    if (!mode.filter || *mode.filter >= static_cast<std::uint32_t>(filters.filters_size()))
        return Error(ErrorCode::kInvalid, "its seccomp filter is not in seccomp.img");
    if (filters.filters(static_cast<int>(*mode.filter)).has_previous())
        return refused("has installed a seccomp filter of its own, which cannot be built for another host");
    return {};
}

std::string_view without_slash(std::string_view path) {
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    return path;
}

std::string_view last_component(std::string_view path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Paths here are without leading slash.
struct PathChange {
    std::set<std::string> old_paths; // of the container's first process: one, but for hierarchies with their own
    std::string new_path;

    const std::string *prefix_of(std::string_view path) const {
        const std::string *longest = nullptr;
        for (const std::string &old_path : old_paths) {
            bool below = path.substr(0, old_path.size()) == old_path &&
                         (path.size() == old_path.size() || path[old_path.size()] == '/');
            if (below && (longest == nullptr || old_path.size() > longest->size())) longest = &old_path;
        }
        return longest;
    }
    bool names_container(std::string_view component) const {
        return std::any_of(old_paths.begin(), old_paths.end(),
                           [&](const std::string &old_path) { return last_component(old_path) == component; });
    }
    std::string apply(std::string_view path) const {
        if (const std::string *prefix = prefix_of(path)) return new_path + std::string(path.substr(prefix->size()));
        std::string out;
        for (std::size_t at = 0; at <= path.size();) {
            std::size_t end = std::min(path.find('/', at), path.size());
            std::string_view component = path.substr(at, end - at);
            out += names_container(component) ? last_component(new_path) : component;
            if (end < path.size()) out += '/';
            at = end + 1;
        }
        return out;
    }
};

constexpr unsigned kMaxCgroupDepth = 64;

void recode_directory(images::CgroupDirectory &directory, const PathChange &change, unsigned depth) {
    directory.set_name(change.apply(directory.name()));
    if (depth >= kMaxCgroupDepth) return;
    for (auto &child : *directory.mutable_children()) recode_directory(child, change, depth + 1);
}

void recode_member(images::CgroupMember &member, const PathChange &change) {
    std::string_view path = without_slash(member.path());
    // A cgroup namespace hides the container's own path, of which this is the length.
    const std::string *prefix = change.prefix_of(path);
    if (prefix != nullptr && member.has_namespace_prefix() && member.namespace_prefix() == prefix->size() + 1)
        member.set_namespace_prefix(static_cast<std::uint32_t>(change.new_path.size() + 1));
    member.set_path("/" + change.apply(path));
}

bool kernel_path(std::string_view path) {
    return path.substr(0, 6) == "/proc/" || path.substr(0, 5) == "/sys/";
}

} // namespace

Result<void> check_seccomp(const images::Core &leader, const std::vector<const images::Core *> &others,
                           const images::Seccomp &filters, bool container_has_profile) {
    Mode mode = mode_of(leader);
    if (mode.mode == SECCOMP_MODE_STRICT && container_has_profile)
        return refused("is in strict seccomp mode, and the container has a profile");
    if (mode.mode == SECCOMP_MODE_DISABLED && container_has_profile)
        return refused("has no seccomp filter, and the container has a profile: start the container with "
                       "--security-opt seccomp=unconfined");
    if (mode.mode == SECCOMP_MODE_FILTER) HRUNC_TRY(check_filter(mode, filters, container_has_profile));
    // CRIU leaves the filter out where the first thread's goes to all.
    bool shared =
        mode.filter && (filters.filters(static_cast<int>(*mode.filter)).flags() & SECCOMP_FILTER_FLAG_TSYNC) != 0;
    for (const images::Core *core : others) {
        Mode other = mode_of(*core);
        if (other.mode == SECCOMP_MODE_FILTER)
            HRUNC_TRY(check_filter(other, filters, container_has_profile));
        else if (other.mode != mode.mode && !(other.mode == SECCOMP_MODE_DISABLED && shared))
            return refused("has threads with and without a seccomp filter");
    }
    return {};
}

void replace_filters(images::Seccomp &filters, const SeccompProgram &program) {
    for (images::SeccompFilter &filter : *filters.mutable_filters()) {
        filter.set_program(program.bpf);
        filter.set_flags((filter.flags() & SECCOMP_FILTER_FLAG_TSYNC) | program.flags);
    }
}

Result<void> recode_cgroups(images::Cgroups &cgroups, std::uint32_t first_set, const std::string &new_path) {
    auto set = std::find_if(cgroups.sets().begin(), cgroups.sets().end(),
                            [&](const images::CgroupSet &candidate) { return candidate.id() == first_set; });
    if (set == cgroups.sets().end())
        return Error(ErrorCode::kInvalid,
                     "cgroup.img: no set " + std::to_string(first_set) + ", which the first process is in");
    PathChange change{{}, std::string(without_slash(new_path))};
    for (const images::CgroupMember &member : set->members()) {
        std::string path = member.path();
        if (member.has_namespace_prefix()) path = path.substr(0, member.namespace_prefix());
        change.old_paths.insert(std::string(without_slash(path)));
    }
    change.old_paths.erase(""); // a hierarchy that the container has no cgroup in
    for (images::CgroupSet &candidate : *cgroups.mutable_sets())
        for (images::CgroupMember &member : *candidate.mutable_members()) recode_member(member, change);
    for (images::CgroupController &controller : *cgroups.mutable_controllers())
        for (images::CgroupDirectory &directory : *controller.mutable_directories())
            recode_directory(directory, change, 0);
    return {};
}

std::vector<std::string> drop_absent_mounts(Image &mounts, const Host &target) {
    std::set<std::uint32_t> dropped;
    std::vector<std::string> paths;
    auto goes = [&](const ImageEntry &entry) {
        const auto *mount = dynamic_cast<const images::Mount *>(entry.message.get());
        if (mount == nullptr) return false;
        const std::string &path = mount->mountpoint();
        bool absent = kernel_path(path) && !kernel_has(target, path);
        if (!absent && dropped.count(mount->parent()) == 0) return false;
        dropped.insert(mount->id());
        paths.push_back(path);
        return true;
    };
    // A mount may stand before the one that it is mounted on.
    while (std::erase_if(mounts.entries(), goes) != 0) {
    }
    return paths;
}

} // namespace hrunc::recode
