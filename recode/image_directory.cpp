#include "recode/image_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/text.h"

namespace hrunc::recode {
namespace {

Error invalid(std::string text) {
    return Error(ErrorCode::kInvalid, std::move(text));
}

// One message that an image must hold alone.
template <typename M> Result<M> read_only(const Fd &directory, const std::string &name) {
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(directory, name));
    HRUNC_ASSIGN(auto entry, reader.next());
    if (!entry) return invalid(name + ": no entry");
    HRUNC_ASSIGN(auto second, reader.next());
    if (second) return invalid(name + ": offset " + std::to_string(second->offset) + ": a second entry");
    return std::move(static_cast<M &>(*entry->message));
}

} // namespace

Result<ImageDirectory> ImageDirectory::open(const std::string &path) {
    HRUNC_ASSIGN(Fd fd, open_file(path, O_RDONLY | O_DIRECTORY));
    HRUNC_ASSIGN_IN(ImageDirectory directory, on(std::move(fd)), quoted(path));
    return directory;
}

Result<ImageDirectory> ImageDirectory::on(Fd fd) {
    ImageDirectory directory;
    directory.fd_ = std::move(fd);
    HRUNC_TRY(directory.list());
    HRUNC_TRY(directory.read_inventory());
    HRUNC_TRY(directory.read_processes());
    HRUNC_TRY(directory.read_cores());
    for (const DumpedProcess &process : directory.processes_)
        if (process.alive()) HRUNC_TRY(directory.check_files(process));
    return directory;
}

bool ImageDirectory::has(const std::string &name) const {
    return std::binary_search(names_.begin(), names_.end(), name);
}

Result<void> ImageDirectory::list() {
    HRUNC_ASSIGN(Fd again, open_at(fd_, ".", O_RDONLY | O_DIRECTORY)); // closedir(3) closes what it reads
    std::unique_ptr<DIR, int (*)(DIR *)> entries(fdopendir(again.get()), closedir);
    if (!entries) return Error::system("read the directory");
    (void)again.release();
    for (errno = 0; const dirent *entry = readdir(entries.get()); errno = 0) {
        std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (names_.size() == kMaxImageFiles)
            return invalid("more than the limit of " + std::to_string(kMaxImageFiles) + " files (kMaxImageFiles)");
        names_.push_back(std::move(name));
    }
    if (errno != 0) return Error::system("read the directory");
    std::sort(names_.begin(), names_.end());
    return {};
}

Result<void> ImageDirectory::read_inventory() {
    std::string name = image_name(ImageKind::kInventory);
    if (!has(name)) return invalid("no " + name + ": not a CRIU image directory, or an unfinished one");
    HRUNC_ASSIGN(inventory_, read_only<images::Inventory>(fd_, name));
    if (inventory_.image_version() != kImageVersion)
        return Error(ErrorCode::kRefused, name + ": image version " + std::to_string(inventory_.image_version()) +
                                              ": only " + std::to_string(kImageVersion) + " is known");
    if (!inventory_.fdinfo_per_id() || !inventory_.ns_per_id())
        return Error(ErrorCode::kRefused, name + ": written by a CRIU before 2.0");
    return {};
}

Result<void> ImageDirectory::read_processes() {
    std::string name = image_name(ImageKind::kProcessTree);
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(fd_, name));
    std::unordered_set<std::uint32_t> pids, threads;
    for (;;) {
        HRUNC_ASSIGN(auto entry, reader.next());
        if (!entry) break;
        const auto &message = static_cast<const images::Process &>(*entry->message);
        DumpedProcess process{message.pid(), message.parent(), message.group(), message.session(), {}, 0, {}, {}};
        std::string at =
            name + ": offset " + std::to_string(entry->offset) + ": process " + std::to_string(process.pid) + ": ";
        if (processes_.empty() ? process.parent != 0 : !pids.contains(process.parent))
            return invalid(at + "parent " + std::to_string(process.parent) + " is not in front of it");
        if (process.pid == 0 || !pids.insert(process.pid).second) return invalid(at + "pid 0 or there twice");
        process.threads.push_back(process.pid);
        // CRIU takes the first for `pid`, whatever it says, and of a zombie it leaves it to chance (criu/seize.c).
        for (int i = 1; i < message.threads_size(); ++i) process.threads.push_back(message.threads(i));
        for (std::uint32_t thread : process.threads) {
            if (!threads.insert(thread).second)
                return invalid(at + "thread " + std::to_string(thread) + " is there twice");
            if (threads.size() > kMaxThreads)
                return invalid(at + "more than the limit of " + std::to_string(kMaxThreads) + " threads (kMaxThreads)");
        }
        processes_.push_back(std::move(process));
    }
    if (processes_.empty()) return invalid(name + ": no process");
    return {};
}

Result<void> ImageDirectory::read_cores() {
    std::optional<arch::Isa> isa;
    for (DumpedProcess &process : processes_)
        for (std::uint32_t thread : process.threads) HRUNC_TRY(read_core(process, thread, isa));
    isa_ = *isa;
    for (DumpedProcess &process : processes_)
        if (process.alive()) HRUNC_TRY(read_ids(process));
    return {};
}

Result<void> ImageDirectory::read_core(DumpedProcess &process, std::uint32_t thread, std::optional<arch::Isa> &isa) {
    std::string name = image_name(ImageKind::kCore, thread);
    if (!has(name)) return invalid("process " + std::to_string(process.pid) + ": no " + name);
    HRUNC_ASSIGN(auto core, read_only<images::Core>(fd_, name));
    auto machine = arch::from_criu_march(core.machine());
    if (!machine)
        return Error(ErrorCode::kRefused,
                     name + ": machine " + std::to_string(core.machine()) + ": neither x86-64 nor aarch64");
    if (isa && *isa != *machine)
        return invalid(name + ": of " + std::string(arch::name(*machine)) + ", but the cores before it are of " +
                       std::string(arch::name(*isa)));
    isa = machine;
    if (thread != process.pid) return {};
    if (!core.has_task()) return invalid(name + ": no task, in the first thread of a process");
    process.state = core.task().state();
    process.comm = core.task().comm();
    process.ids = core.ids();
    return {};
}

Result<void> ImageDirectory::read_ids(DumpedProcess &process) {
    std::string name = image_name(ImageKind::kIds, process.pid);
    if (!has(name)) return process.ids.IsInitialized() ? Result<void>() : invalid("no " + name);
    HRUNC_ASSIGN(process.ids, read_only<images::ObjectIds>(fd_, name));
    return {};
}

Result<void> ImageDirectory::check_files(const DumpedProcess &process) const {
    for (auto [kind, id] :
         {std::pair(ImageKind::kAddressSpace, process.pid), std::pair(ImageKind::kPagemap, process.pid),
          std::pair(ImageKind::kFilesystem, process.pid), std::pair(ImageKind::kDescriptors, process.ids.files())})
        if (std::string name = image_name(kind, id); !has(name))
            return invalid("process " + std::to_string(process.pid) + ": no " + name);
    return {};
}

Result<std::optional<std::string>> parent_link(const Fd &directory) {
    struct stat status{};
    if (fstatat(directory.get(), "parent", &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return std::optional<std::string>();
        return Error::system("stat \"parent\"");
    }
    if (!S_ISLNK(status.st_mode)) return invalid("\"parent\": not a symbolic link");
    std::string target(kMaxParentLink + 1, '\0');
    ssize_t size = readlinkat(directory.get(), "parent", target.data(), target.size());
    if (size < 0) return Error::system("read the link \"parent\"");
    if (static_cast<std::size_t>(size) > kMaxParentLink)
        return invalid("\"parent\": more than the limit of " + std::to_string(kMaxParentLink) +
                       " bytes (kMaxParentLink)");
    target.resize(static_cast<std::size_t>(size));
    return std::optional(std::move(target));
}

Result<std::optional<Fd>> open_parent(const Fd &directory) {
    HRUNC_ASSIGN(auto target, parent_link(directory));
    if (!target) return std::optional<Fd>();
    std::string path = *target;
    bool sibling = path.starts_with("../");
    if (sibling) path.erase(0, 3);
    if (path.empty() || path.starts_with("/") || ("/" + path + "/").find("/../") != std::string::npos)
        return Error(ErrorCode::kRefused, "\"parent\" leads to " + quoted(*target) +
                                              ": only the directory itself and its siblings may be parents");
    Fd above;
    if (sibling) {
        HRUNC_ASSIGN(above, open_at(directory, "..", O_PATH | O_DIRECTORY));
    }
    auto parent = open_beneath(sibling ? above : directory, path, O_RDONLY | O_DIRECTORY);
    if (!parent) return std::move(parent).error().in("\"parent\"");
    return std::optional<Fd>(std::move(*parent));
}

} // namespace hrunc::recode
