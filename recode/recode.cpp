#include "recode/recode.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "recode/image_directory.h"
#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/memory.h"
#include "recode/text.h"
#include "recode/transform/address_space.h"
#include "recode/transform/container.h"
#include "recode/transform/core.h"
#include "recode/transform/executables.h"
#include "recode/transform/files.h"
#include "recode/transform/pages.h"
#include "recode/transform/popcorn_state.h"
#include "recode/transform/portable_state.h"
#include "recode/transform/sidecar.h"
#include "recode/transform/staging.h"

namespace hrunc::recode {

namespace {

using images::AddressSpace;
using images::Core;

// One recode, from the source's images to the staging directory.
class Work {
  public:
    Work(const Request &request, ImageDirectory source, Staging &staging)
        : request_(request), source_(std::move(source)), staging_(staging) {
        report_.from = source_.isa();
        report_.to = request.target.isa;
    }

    Result<Report> run();

  private:
    struct Threads {
        std::vector<Image> images; // as DumpedProcess.threads
        std::vector<Core *> cores;
    };

    bool changes_isa() const { return report_.from != report_.to; }
    Result<void> read_shared();
    Result<Threads> read_threads(const DumpedProcess &process) const;
    Result<void> process(const DumpedProcess &process);
    Result<void> move_process(const DumpedProcess &process, Threads &threads);
    Result<std::vector<ThreadState>> thread_states(const DumpedProcess &process, const AbiSymbols &symbols,
                                                   DumpedMemory &memory) const;
    Result<std::set<std::uint64_t>> find_programs(const AddressSpace &mm);
    Result<AbiSymbols> find_main_program(const AddressSpace &mm);
    Result<TargetProgram *> find_program(std::uint32_t id, bool main_program);
    Result<void> write_memory(const DumpedProcess &process, Image &mm_image, DumpedMemory &memory,
                              const std::set<std::uint64_t> &programs);
    Result<void> container();
    Result<void> mounts(const std::string &name);
    Result<void> carry_rest();
    Result<void> write_changed(const Image &image);
    std::string label(const DumpedProcess &process) const;

    const Request &request_;
    ImageDirectory source_;
    Staging &staging_;
    Report report_;
    bool recoded_before_ = false;
    std::optional<Image> files_, seccomp_, cgroups_;
    SeccompProgram seccomp_program_;
    std::optional<Executables> executables_;
    std::map<std::uint32_t, TargetProgram> programs_; // by file id
    std::uint32_t next_pages_ = 1;
    std::optional<std::uint32_t> cgroup_set_; // of the first process; the inventory names the one of criu itself
    std::set<std::string> skipped_;           // images that the output does not need
};

// `process 7 (/bin/sh)`, or its command name where no executable is known.
std::string Work::label(const DumpedProcess &process) const {
    std::string name = process.comm;
    if (process.alive() && files_) {
        Result<Image> mm = Image::read(source_.fd(), image_name(ImageKind::kAddressSpace, process.pid));
        if (mm && mm->get<AddressSpace>(0) != nullptr)
            if (const auto *file = regular_file(*files_, mm->get<AddressSpace>(0)->executable())) name = file->name();
    }
    return fmt::format("process {} ({})", process.pid, printable(name));
}

Result<void> Work::write_changed(const Image &image) {
    report_.changed.push_back(image.name());
    return staging_.write(image);
}

Result<void> Work::read_shared() {
    HRUNC_ASSIGN(files_, Image::read(source_.fd(), image_name(ImageKind::kFiles)));
    if (std::string name = image_name(ImageKind::kSeccomp); source_.has(name)) {
        HRUNC_ASSIGN(seccomp_, Image::read(source_.fd(), name));
    }
    if (std::string name = image_name(ImageKind::kCgroups); source_.has(name)) {
        HRUNC_ASSIGN(cgroups_, Image::read(source_.fd(), name));
    }
    for (const std::string &name : source_.names())
        if (auto type = parse_image_name(name); type && type->type->kind == ImageKind::kPages)
            next_pages_ =
                std::max(next_pages_, static_cast<std::uint32_t>(std::min<std::uint64_t>(type->id, 0x7ffffffe)) + 1);
    recoded_before_ = recoded_before(source_.fd(), report_.to, report_.from);
    if (!changes_isa()) return {};
    HRUNC_ASSIGN(executables_, Executables::open(request_.root, request_.mounts));
    if (!request_.seccomp_profile.empty()) {
        HRUNC_ASSIGN(seccomp_program_, compile_seccomp(request_.seccomp_profile, report_.to));
    }
    return {};
}

Result<Work::Threads> Work::read_threads(const DumpedProcess &process) const {
    Threads threads;
    for (std::uint32_t thread : process.threads) {
        HRUNC_ASSIGN(Image image, Image::read(source_.fd(), image_name(ImageKind::kCore, thread)));
        HRUNC_ASSIGN(Core * core, image.only<Core>());
        threads.cores.push_back(core);
        threads.images.push_back(std::move(image));
    }
    return threads;
}

Result<TargetProgram *> Work::find_program(std::uint32_t id, bool main_program) {
    auto known = programs_.find(id);
    if (known != programs_.end() && (known->second.abi || !main_program)) return &known->second;
    const images::RegularFile *file = regular_file(*files_, id);
    if (file == nullptr) return Error(ErrorCode::kInvalid, fmt::format("file {} is not in files.img", id));
    HRUNC_ASSIGN(TargetProgram program, executables_->find(*file, main_program, report_.from, report_.to));
    return &programs_.insert_or_assign(id, std::move(program)).first->second;
}

Result<AbiSymbols> Work::find_main_program(const AddressSpace &mm) {
    HRUNC_ASSIGN(TargetProgram * program, find_program(mm.executable(), true));
    return *program->abi;
}

// Ids of all mapped files of which code is mapped.
Result<std::set<std::uint64_t>> Work::find_programs(const AddressSpace &mm) {
    constexpr std::uint32_t kExecutable = 4; // PROT_EXEC
    std::set<std::uint64_t> ids = {mm.executable()};
    for (const images::Vma &vma : mm.vmas()) {
        bool file = (vma.status() & (kVmaFilePrivate | kVmaFileShared)) != 0;
        if (file && (vma.protection() & kExecutable) != 0) ids.insert(vma.object());
    }
    for (std::uint64_t id : ids) HRUNC_TRY(find_program(static_cast<std::uint32_t>(id), false));
    return ids;
}

Result<std::vector<ThreadState>> Work::thread_states(const DumpedProcess &process, const AbiSymbols &symbols,
                                                     DumpedMemory &memory) const {
    if (symbols.abi == Abi::kPortable) return portable_states(symbols.process, process.threads, memory, report_.to);
    if (process.threads.size() != 1)
        return Error(ErrorCode::kRefused,
                     fmt::format("{} threads: the popcorn ABI is for one", process.threads.size()));
    ThreadState state;
    state.sigreturn = symbols.sigreturn;
    HRUNC_ASSIGN_IN(state.regs, memory.read<popcorn_regs>(symbols.regs_dst), POPCORN_SYMBOL_REGS);
    HRUNC_ASSIGN_IN(state.tls, memory.read<std::uint64_t>(symbols.tls_dst), POPCORN_SYMBOL_TLS);
    if (recoded_before_) {
        state.saved_block = true;
        return std::vector{state};
    }
    HRUNC_ASSIGN(arch::Isa parked, parked_for(state.regs));
    if (parked != report_.to)
        return Error(ErrorCode::kRefused,
                     fmt::format("is parked for {0}, and this host is {1}: checkpoint it again for {1}",
                                 arch::name(parked), arch::name(report_.to)));
    return std::vector{state};
}

// What a thread is to go on with must lie in mappings that allow it.
Result<void> check_place(const AddressSpace &mm, const ThreadState &state, arch::Isa to) {
    if (state.saved_block) return {};
    bool x86 = to == arch::Isa::kX8664;
    struct {
        const char *name;
        std::uint64_t value;
        std::uint32_t protection; // PROT_WRITE, PROT_EXEC
    } const addresses[] = {{"program counter", x86 ? state.regs.x86_64.rip : state.regs.aarch64.pc, 4},
                           {"stack pointer", x86 ? state.regs.x86_64.rsp : state.regs.aarch64.sp, 2},
                           {"thread pointer", state.tls, 2}};
    for (const auto &address : addresses) {
        // A stack pointer may stand at its region's end, where nothing is pushed yet; so may the thread pointer.
        bool mapped = std::any_of(mm.vmas().begin(), mm.vmas().end(), [&](const images::Vma &vma) {
            return address.value >= vma.start() && address.value <= vma.end() &&
                   (vma.protection() & address.protection) != 0;
        });
        if (!mapped)
            return Error(ErrorCode::kRefused,
                         fmt::format("{} {:#x}: outside every mapping that fits", address.name, address.value));
    }
    return {};
}

Result<void> Work::write_memory(const DumpedProcess &process, Image &mm_image, DumpedMemory &memory,
                                const std::set<std::uint64_t> &programs) {
    const Pagemap &pagemap = memory.pagemap();
    const Host &target = request_.target;
    if (pagemap.page_size() != target.page_size)
        return Error(ErrorCode::kRefused,
                     fmt::format("pages of {} bytes, and this host's are {}", pagemap.page_size(), target.page_size));
    auto &mm = *mm_image.get<AddressSpace>(0);
    HRUNC_ASSIGN(AddressSpaceChange change, recode_address_space(mm, programs, report_.from, target));
    std::vector<NewPages> added = {{change.vdso, target.vdso}};
    for (std::uint64_t address = change.moved.start; address < change.moved.end; address += target.page_size) {
        if (!memory.holds(address, target.page_size)) continue;
        NewPages page{address - change.moved.start + change.moved_to, std::string(target.page_size, '\0')};
        HRUNC_TRY(memory.read(address, page.bytes.data(), page.bytes.size()));
        added.push_back(std::move(page));
    }
    HRUNC_ASSIGN(Image new_pagemap, Image::make(image_name(ImageKind::kPagemap, process.pid)));
    std::uint32_t pages_id = next_pages_++;
    HRUNC_ASSIGN(PageChange pages, recode_pagemap(pagemap, pages_id, change.dropped, std::move(added), new_pagemap));
    HRUNC_TRY(write_changed(mm_image));
    HRUNC_TRY(write_changed(new_pagemap));
    std::string pages_name = image_name(ImageKind::kPages, pages_id);
    HRUNC_TRY(staging_.write(pages_name, pages.bytes));
    report_.changed.push_back(pages_name);
    report_.pages_written += pages.written;
    report_.pages_in_parent += pages.in_parent;
    skipped_.insert(pagemap.pages_name());
    return {};
}

Result<void> Work::move_process(const DumpedProcess &process, Threads &threads) {
    HRUNC_ASSIGN(Image mm_image, Image::read(source_.fd(), image_name(ImageKind::kAddressSpace, process.pid)));
    HRUNC_ASSIGN(AddressSpace * mm, mm_image.only<AddressSpace>());
    HRUNC_ASSIGN(AbiSymbols symbols, find_main_program(*mm));
    HRUNC_ASSIGN(DumpedMemory memory, DumpedMemory::of_process(source_.fd(), process.pid));
    HRUNC_ASSIGN(std::vector<ThreadState> states, thread_states(process, symbols, memory));
    for (const ThreadState &state : states) HRUNC_TRY(check_place(*mm, state, report_.to));
    HRUNC_ASSIGN(std::set<std::uint64_t> programs, find_programs(*mm));
    std::vector<const Core *> others(threads.cores.begin() + 1, threads.cores.end());
    const images::Seccomp none;
    const auto *filters = seccomp_ ? seccomp_->get<images::Seccomp>(0) : nullptr;
    HRUNC_TRY(check_seccomp(*threads.cores.front(), others, filters ? *filters : none, !seccomp_program_.bpf.empty()));
    for (std::size_t i = 0; i < threads.cores.size(); ++i)
        HRUNC_TRY(recode_thread(*threads.cores[i], states[i], report_.to));
    return write_memory(process, mm_image, memory, programs);
}

Result<void> check_privileges(const std::vector<Core *> &cores) {
    for (const Core *core : cores)
        if (core->thread().credentials().no_new_privileges() == 0)
            return Error(ErrorCode::kRefused,
                         "may gain privileges, which the new container forbids (no-new-privileges): "
                         "criu 3.17 forgets that setting; checkpoint it with a newer criu");
    return {};
}

Result<void> Work::process(const DumpedProcess &process) {
    HRUNC_ASSIGN(Threads threads, read_threads(process));
    const Core &leader = *threads.cores.front();
    if (!cgroup_set_)
        cgroup_set_ = leader.thread().has_cgroup_set() ? leader.thread().cgroup_set() : leader.task().cgroup_set();
    if (changes_isa() && process.alive()) {
        if (request_.no_new_privileges) HRUNC_TRY(check_privileges(threads.cores));
        HRUNC_TRY(move_process(process, threads));
    }
    unsigned capabilities = 0;
    for (std::size_t i = 0; i < threads.cores.size(); ++i) {
        if (changes_isa() && !process.alive()) recode_dead(*threads.cores[i], report_.to);
        unsigned dropped = drop_unknown_capabilities(*threads.cores[i], request_.target.last_capability);
        capabilities = std::max(capabilities, dropped);
        if (changes_isa() || dropped != 0) HRUNC_TRY(write_changed(threads.images[i]));
    }
    if (capabilities != 0)
        report_.notes.push_back(fmt::format("{}: {} capabilities that this host's kernel does not know were dropped",
                                            label(process), capabilities));
    return {};
}

Result<void> Work::mounts(const std::string &name) {
    HRUNC_ASSIGN(Image image, Image::read(source_.fd(), name));
    std::vector<std::string> dropped = drop_absent_mounts(image, request_.target);
    for (const std::string &path : dropped)
        report_.notes.push_back(
            fmt::format("masked path {} dropped: this host's kernel has no such file", quoted(path)));
    return dropped.empty() ? Result<void>() : write_changed(image);
}

Result<void> Work::container() {
    if (changes_isa()) {
        recode_files(*files_, programs_, report_.from, report_.to);
        HRUNC_TRY(write_changed(*files_));
        if (seccomp_ && seccomp_->get<images::Seccomp>(0) != nullptr) {
            replace_filters(*seccomp_->get<images::Seccomp>(0), seccomp_program_);
            HRUNC_TRY(write_changed(*seccomp_));
        }
        skipped_.insert(image_name(ImageKind::kCpuInfo)); // of the source's processor
    }
    if (cgroups_ && cgroup_set_ && !request_.cgroup_path.empty()) {
        HRUNC_ASSIGN(images::Cgroups * cgroups, cgroups_->only<images::Cgroups>());
        HRUNC_TRY(recode_cgroups(*cgroups, *cgroup_set_, request_.cgroup_path));
        HRUNC_TRY(write_changed(*cgroups_));
    }
    for (const std::string &name : source_.names())
        if (auto type = parse_image_name(name); type && type->type->kind == ImageKind::kMounts) HRUNC_TRY(mounts(name));
    return {};
}

Result<void> Work::carry_rest() {
    for (const std::string &name : source_.names()) {
        if (staging_.has(name) || skipped_.count(name) != 0 || name == kParentLink || name == kSidecarName) continue;
        Result<void> carried = staging_.carry(source_.fd(), name);
        if (carried) continue;
        if (parse_image_name(name) || carried.error().code() == ErrorCode::kSystem) return carried;
        report_.notes.push_back(fmt::format("{} left out: not an image, and not a file", quoted(name)));
    }
    return {};
}

Result<Report> Work::run() {
    HRUNC_TRY(read_shared());
    for (const DumpedProcess &dumped : source_.processes()) {
        if (Result<void> done = process(dumped); !done) return std::move(done).error().in(label(dumped));
        ++report_.processes;
        report_.threads += static_cast<std::uint32_t>(dumped.threads.size());
    }
    HRUNC_TRY(container());
    if (changes_isa()) HRUNC_TRY(staging_.write(kSidecarName, sidecar(report_.from, report_.to)));
    HRUNC_TRY(carry_rest());
    HRUNC_TRY(staging_.commit());
    report_.bytes_written = staging_.bytes_written();
    return std::move(report_);
}

} // namespace

Result<Report> recode(const Request &request) {
    std::string act = "recode " + quoted(request.images);
    HRUNC_ASSIGN_IN(ImageDirectory source, ImageDirectory::open(request.images), act);
    HRUNC_ASSIGN_IN(Staging staging, Staging::make(request.output, request.images), act);
    Result<Report> report = Work(request, std::move(source), staging).run();
    if (!report) return std::move(report).error().in(act);
    return report;
}

Result<Needs> examine(const std::string &images, const Host &target) {
    HRUNC_ASSIGN_IN(ImageDirectory source, ImageDirectory::open(images), "examine " + quoted(images));
    return Needs{source.isa(), source.isa() != target.isa};
}

} // namespace hrunc::recode
