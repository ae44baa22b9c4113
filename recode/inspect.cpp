#include "recode/inspect.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "recode/image_directory.h"
#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/images/container.pb.h"
#include "recode/images/files.pb.h"
#include "recode/images/memory.pb.h"
#include "recode/inspect_files.h"
#include "recode/manifest.h"
#include "recode/memory.h"
#include "recode/text.h"

namespace hrunc::recode {
namespace {

constexpr std::array<std::string_view, 3> kPlaceNames{"images", "parent", "lazy"}; // by PageRange::Place

// What the parts of the report share.
struct Subject {
    const ImageDirectory &images;
    const InspectOptions &options;
    Outline &out;
    std::optional<Manifest> manifest;
    std::vector<std::uint32_t> filter_chains; // by filter: how many there are from it to the first of its chain
    std::map<std::uint32_t, Executable> executables;
};

// The first message of an image; nothing if the directory has no such image or the image no entry.
template <typename M> Result<std::optional<M>> first_of(const ImageDirectory &images, const std::string &name) {
    if (!images.has(name)) return std::optional<M>();
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(images.fd(), name));
    HRUNC_ASSIGN(auto entry, reader.next());
    if (!entry) return std::optional<M>();
    return std::optional<M>(std::move(static_cast<M &>(*entry->message)));
}

std::string state_name(std::uint32_t state) {
    switch (state) {
    case kTaskAlive:
        return "alive";
    case kTaskDead:
        return "dead";
    case kTaskStopped:
        return "stopped";
    case kTaskZombie:
        return "zombie";
    default:
        return std::to_string(state);
    }
}

// The kind of memory, from the bits of Vma.status; the first row that fits counts.
struct VmaKind {
    std::string_view name;
    std::uint32_t status;
    std::uint32_t protection; // bits that must be there too
};
constexpr std::array kVmaKinds{
    VmaKind{"kernel", kVmaVdso | kVmaVvar | kVmaVsyscall, 0},
    VmaKind{"stack", kVmaStack, 0},
    VmaKind{"heap", kVmaHeap, 0},
    VmaKind{"code", kVmaFilePrivate | kVmaFileShared, PROT_EXEC},
    VmaKind{"file_private", kVmaFilePrivate, 0},
    VmaKind{"file_shared", kVmaFileShared, 0},
    VmaKind{"shared", kVmaAnonymousShared | kVmaSysvIpc | kVmaMemfd, 0},
    VmaKind{"anonymous", kVmaAnonymousPrivate, 0},
    VmaKind{"other", ~0U, 0},
};

Result<std::array<std::uint64_t, kVmaKinds.size()>> vma_sizes(const images::AddressSpace &space,
                                                              const std::string &name) {
    std::array<std::uint64_t, kVmaKinds.size()> sizes{};
    for (const images::Vma &vma : space.vmas()) {
        if (vma.start() >= vma.end())
            return Error(ErrorCode::kInvalid, name + ": mapping from " + hex(vma.start()) + " to " + hex(vma.end()));
        if ((vma.status() & kVmaGuard) != 0) continue;
        std::size_t kind = 0;
        while (kind + 1 < kVmaKinds.size() &&
               ((vma.status() & kVmaKinds[kind].status) == 0 ||
                (vma.protection() & kVmaKinds[kind].protection) != kVmaKinds[kind].protection))
            ++kind;
        if (__builtin_add_overflow(sizes[kind], vma.end() - vma.start(), &sizes[kind])) sizes[kind] = UINT64_MAX;
    }
    return sizes;
}

Result<void> report_memory(Subject &subject, const DumpedProcess &process, const images::AddressSpace &space) {
    HRUNC_ASSIGN(auto sizes, vma_sizes(space, image_name(ImageKind::kAddressSpace, process.pid)));
    HRUNC_ASSIGN(Pagemap pagemap, Pagemap::read(subject.images.fd(), image_name(ImageKind::kPagemap, process.pid)));
    Outline &out = subject.out;
    out.begin("memory");
    out.member("mappings", static_cast<std::uint32_t>(space.vmas_size()));
    for (std::size_t kind = 0; kind < kVmaKinds.size(); ++kind)
        if (sizes[kind] != 0) out.member(kVmaKinds[kind].name, sizes[kind]);
    out.member("page_size", pagemap.page_size());
    out.member("dumped", pagemap.count(PageRange::Place::kPages) * pagemap.page_size());
    for (auto place : {PageRange::Place::kParent, PageRange::Place::kLazy})
        if (std::uint64_t pages = pagemap.count(place); pages != 0)
            out.member("dumped_" + std::string(kPlaceNames[static_cast<std::size_t>(place)]),
                       pages * pagemap.page_size());
    out.end();
    if (!subject.options.pages) return {};
    out.begin_list("pages");
    for (const PageRange &run : pagemap.runs()) {
        out.begin_item(true);
        out.member("address", hex(run.address));
        out.member("pages", run.pages);
        out.member("in", kPlaceNames[static_cast<std::size_t>(run.place)]);
        out.end_item();
        HRUNC_TRY(out.status());
    }
    out.end_list();
    return {};
}

// Where all threads have the same filters, CRIU notes them with the first one only.
void report_seccomp(const Subject &subject, const images::ThreadCore &thread, bool first) {
    constexpr std::array<std::string_view, 3> kModes{"disabled", "strict", "filter"};
    std::uint32_t mode = thread.seccomp_mode();
    if (!thread.has_seccomp_mode() && !first) return subject.out.member("seccomp", "as the process");
    subject.out.member("seccomp", mode < kModes.size() ? std::string(kModes[mode]) : std::to_string(mode));
    if (mode != 2) return;
    std::uint32_t last = thread.seccomp_filter();
    subject.out.member("filters", last < subject.filter_chains.size() ? subject.filter_chains[last] : 0U);
}

Result<void> report_thread(const Subject &subject, const DumpedProcess &process, std::uint32_t thread) {
    HRUNC_ASSIGN(auto core, first_of<images::Core>(subject.images, image_name(ImageKind::kCore, thread)));
    if (!core) return {};
    Outline &out = subject.out;
    out.begin_item(true);
    out.member("id", thread);
    if (core->thread().has_comm()) out.member("comm", core->thread().comm());
    report_seccomp(subject, core->thread(), thread == process.pid);
    if (core->thread().has_credentials()) {
        out.member("uid", core->thread().credentials().effective_uid());
        out.member("gid", core->thread().credentials().effective_gid());
    }
    if (core->thread().has_cgroup_set()) out.member("cgroup_set", core->thread().cgroup_set());
    out.end_item();
    return out.status();
}

Result<void> report_living(Subject &subject, const DumpedProcess &process) {
    std::string name = image_name(ImageKind::kAddressSpace, process.pid);
    HRUNC_ASSIGN(auto space, first_of<images::AddressSpace>(subject.images, name));
    if (!space) return Error(ErrorCode::kInvalid, name + ": no entry");
    auto executable = subject.executables.find(space->executable());
    if (executable != subject.executables.end()) {
        subject.out.member("executable", executable->second.path);
        if (!executable->second.build_id.empty()) subject.out.member("build_id", executable->second.build_id);
    }
    return report_memory(subject, process, *space);
}

Result<void> report_process(Subject &subject, const DumpedProcess &process) {
    Outline &out = subject.out;
    out.begin_item(false);
    out.member("pid", process.pid);
    out.member("parent", process.parent);
    out.member("comm", process.comm);
    out.member("state", state_name(process.state));
    if (subject.manifest)
        for (const ManifestProcess &noted : subject.manifest->processes)
            if (noted.pid == process.pid) out.member("abi", noted.abi);
    if (process.alive()) HRUNC_TRY(report_living(subject, process));
    out.begin_list("threads");
    for (std::uint32_t thread : process.threads) HRUNC_TRY(report_thread(subject, process, thread));
    out.end_list();
    out.end_item();
    return out.status();
}

// Lengths of the chains of filters; each names the one under it, which CRIU writes before it.
Result<void> read_filters(Subject &subject) {
    std::string name = image_name(ImageKind::kSeccomp);
    HRUNC_ASSIGN(auto seccomp, first_of<images::Seccomp>(subject.images, name));
    if (!seccomp) return {};
    std::vector<std::uint32_t> &chains = subject.filter_chains;
    for (const images::SeccompFilter &filter : seccomp->filters()) {
        if (filter.has_previous() && filter.previous() >= chains.size())
            return Error(ErrorCode::kInvalid, name + ": filter " + std::to_string(chains.size()) +
                                                  " stands on filter " + std::to_string(filter.previous()) +
                                                  ", which is not before it");
        chains.push_back(filter.has_previous() ? chains[filter.previous()] + 1 : 1);
    }
    return {};
}

Result<void> read_executables(Subject &subject) {
    std::vector<std::uint32_t> wanted;
    for (const DumpedProcess &process : subject.images.processes()) {
        if (!process.alive()) continue;
        std::string name = image_name(ImageKind::kAddressSpace, process.pid);
        HRUNC_ASSIGN(auto space, first_of<images::AddressSpace>(subject.images, name));
        if (space) wanted.push_back(space->executable());
    }
    if (wanted.empty()) return {};
    HRUNC_ASSIGN(subject.executables, find_executables(subject.images, wanted));
    return {};
}

void report_makers(const Subject &subject) {
    Outline &out = subject.out;
    out.member("isa", arch::name(subject.images.isa()));
    out.member("image_version", subject.images.inventory().image_version());
    if (!subject.manifest) return;
    out.begin("made_by");
    for (auto [key, value] :
         {std::pair("hrunc", &subject.manifest->hrunc), std::pair("engine", &subject.manifest->engine),
          std::pair("runc", &subject.manifest->runc), std::pair("criu", &subject.manifest->criu),
          std::pair("kernel", &subject.manifest->kernel)})
        if (!value->empty()) out.member(key, *value);
    out.member("target", subject.manifest->target.empty() ? "any" : subject.manifest->target);
    out.end();
}

Result<void> report_origin(const Subject &subject) {
    Outline &out = subject.out;
    HRUNC_ASSIGN(auto parent, parent_link(subject.images.fd()));
    if (parent) out.member("parent", *parent);
    HRUNC_ASSIGN(auto cpu, first_of<images::CpuInfo>(subject.images, image_name(ImageKind::kCpuInfo)));
    if (cpu && cpu->x86_size() > 0) out.member("cpu", cpu->x86(0).name());
    if (const auto &ids = subject.images.processes().front().ids; ids.has_uts_ns()) {
        HRUNC_ASSIGN(auto uts,
                     first_of<images::UtsNamespace>(subject.images, image_name(ImageKind::kUts, ids.uts_ns())));
        if (uts) out.member("hostname", uts->node_name());
    }
    HRUNC_ASSIGN(auto stats, first_of<images::Stats>(subject.images, "stats-dump"));
    if (!stats || !stats->has_dump()) return {};
    out.begin("dump");
    out.member("frozen_microseconds", stats->dump().frozen_time());
    out.member("pages_written", stats->dump().pages_written());
    out.end();
    return {};
}

Result<void> report_cgroups(const Subject &subject) {
    HRUNC_ASSIGN(auto cgroups, first_of<images::Cgroups>(subject.images, image_name(ImageKind::kCgroups)));
    if (!cgroups) return {};
    subject.out.begin_list("cgroups");
    for (const images::CgroupSet &set : cgroups->sets())
        for (const images::CgroupMember &member : set.members()) {
            subject.out.begin_item(true);
            subject.out.member("set", set.id());
            subject.out.member("controller", member.name());
            subject.out.member("path", member.path());
            subject.out.end_item();
        }
    subject.out.end_list();
    return {};
}

Result<void> report_mounts(const Subject &subject) {
    std::uint64_t mounts = 0;
    for (const std::string &file : subject.images.names()) {
        auto name = parse_image_name(file);
        if (!name || name->type->kind != ImageKind::kMounts) continue;
        HRUNC_ASSIGN(ImageReader reader, ImageReader::open(subject.images.fd(), file));
        for (;; ++mounts) {
            HRUNC_ASSIGN(auto entry, reader.next());
            if (!entry) break;
        }
    }
    subject.out.member("mounts", mounts);
    return {};
}

// Every file of the directory, and of those that are images also that they begin as their names say.
Result<void> report_images(const Subject &subject) {
    std::uint64_t bytes = 0, foreign = 0, files = 0;
    for (const std::string &file : subject.images.names()) {
        if (file == "parent") continue;
        HRUNC_ASSIGN(Fd fd, open_image(subject.images.fd(), file));
        struct stat status{};
        if (fstat(fd.get(), &status) != 0) return Error::system("stat " + quoted(file));
        bytes += static_cast<std::uint64_t>(status.st_size);
        ++files;
        auto name = parse_image_name(file);
        if (!name) ++foreign;
        if (!name || name->type->header == ImageHeader::kNone) continue;
        HRUNC_TRY(ImageReader::on(std::move(fd), file));
    }
    subject.out.begin("directory");
    subject.out.member("files", files);
    subject.out.member("not_of_criu", foreign);
    subject.out.member("bytes", bytes);
    subject.out.end();
    return {};
}

Result<void> report(Subject &subject) {
    report_makers(subject);
    HRUNC_TRY(report_origin(subject));
    HRUNC_TRY(report_images(subject));
    subject.out.begin_list("processes");
    for (const DumpedProcess &process : subject.images.processes()) HRUNC_TRY(report_process(subject, process));
    subject.out.end_list();
    if (!subject.executables.empty()) HRUNC_TRY(report_files(subject.images, subject.out));
    subject.out.member("seccomp_filters", static_cast<std::uint64_t>(subject.filter_chains.size()));
    HRUNC_TRY(report_cgroups(subject));
    return report_mounts(subject);
}

} // namespace

Result<void> inspect(Fd directory, const InspectOptions &options, const Outline::Sink &sink) {
    HRUNC_ASSIGN(ImageDirectory images, ImageDirectory::on(std::move(directory)));
    Outline out(options.format, sink);
    Subject subject{images, options, out, {}, {}, {}};
    HRUNC_ASSIGN(subject.manifest, read_manifest(images.fd()));
    HRUNC_TRY(read_filters(subject));
    HRUNC_TRY(read_executables(subject));
    HRUNC_TRY(report(subject));
    return out.finish();
}

Result<void> inspect(const std::string &path, const InspectOptions &options, const Outline::Sink &sink) {
    HRUNC_ASSIGN(Fd directory, open_file(path, O_RDONLY | O_DIRECTORY));
    HRUNC_TRY_IN(inspect(std::move(directory), options, sink), quoted(path));
    return {};
}

} // namespace hrunc::recode
