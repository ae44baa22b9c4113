#include "recode/transform/address_space.h"

#include <fmt/format.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include <algorithm>

#include "recode/image_facts.h"
#include "recode/transform/auxv.h"
#include "recode/transform/open_flags.h"

namespace hrunc::recode {

namespace {

constexpr std::uint32_t kKernelAreas = kVmaVsyscall | kVmaVdso | kVmaVvar;
constexpr std::uint64_t kMargin = std::uint64_t{16} << 20; // kept free around what is put into a hole
constexpr std::uint64_t kLowest = std::uint64_t{1} << 20;  // nothing is put below

using Vmas = google::protobuf::RepeatedPtrField<images::Vma>;

Error refused(std::string text) {
    return Error(ErrorCode::kRefused, std::move(text));
}

Result<void> check_order(const Vmas &vmas, std::uint64_t page_size) {
    std::uint64_t previous_end = 0;
    for (const images::Vma &vma : vmas) {
        if (vma.start() >= vma.end() || vma.start() % page_size != 0 || vma.end() % page_size != 0)
            return Error(ErrorCode::kInvalid,
                         fmt::format("mapping {:#x}-{:#x}: not a range of pages", vma.start(), vma.end()));
        if ((vma.status() & kVmaGuard) != 0) continue;
        if (vma.start() < previous_end)
            return Error(ErrorCode::kInvalid,
                         fmt::format("mapping {:#x}-{:#x}: overlaps the one before", vma.start(), vma.end()));
        previous_end = vma.end();
    }
    return {};
}

Result<void> check_kinds(const Vmas &vmas, arch::Isa from) {
    for (const images::Vma &vma : vmas) {
        if ((vma.status() & kVmaShadowStack) != 0) return refused("runs with a shadow stack (CET)");
        if ((vma.flags() & MAP_HUGETLB) != 0)
            return refused(fmt::format("huge pages (MAP_HUGETLB) at {:#x}", vma.start()));
        bool vsyscall = (vma.status() & kVmaVsyscall) != 0;
        if (from == arch::Isa::kX8664 && !vsyscall && vma.end() > arch::facts(from).address_limit)
            return refused(fmt::format("memory at {:#x}: 5-level addresses", vma.start()));
    }
    return {};
}

// Free ranges between the mappings, highest first.
std::vector<AddressRange> holes(const Vmas &vmas, std::uint64_t limit) {
    std::vector<AddressRange> out;
    std::uint64_t previous_end = kLowest;
    for (const images::Vma &vma : vmas) {
        if ((vma.status() & kVmaGuard) != 0) continue;
        std::uint64_t end = std::min(vma.start(), limit);
        if (end > previous_end) out.push_back({previous_end, end});
        previous_end = std::max(previous_end, vma.end());
    }
    if (previous_end < limit) out.push_back({previous_end, limit});
    std::reverse(out.begin(), out.end());
    return out;
}

Result<std::uint64_t> find_place(const Vmas &vmas, std::uint64_t size, std::uint64_t preferred, const Host &target) {
    std::vector<AddressRange> free = holes(vmas, target.address_limit - target.page_size);
    for (const AddressRange &hole : free)
        if (preferred >= hole.start && preferred < hole.end && hole.end - preferred >= size) return preferred;
    // A margin, for a stack or a heap beside it may still grow.
    for (const AddressRange &hole : free)
        if (hole.end - hole.start >= size + 2 * kMargin) return hole.end - kMargin - size;
    return refused(fmt::format("no free {} bytes below {:#x}", size, target.address_limit));
}

void insert_vma(Vmas &vmas, images::Vma vma) {
    int at = 0;
    while (at < vmas.size() && (vmas[at].status() & kVmaGuard) == 0 && vmas[at].start() < vma.start()) ++at;
    *vmas.Add() = std::move(vma);
    for (int i = vmas.size() - 1; i > at; --i) vmas.SwapElements(i, i - 1);
}

images::Vma anonymous_vma(std::uint64_t start, std::uint64_t end, std::uint32_t protection, std::uint32_t status) {
    images::Vma vma;
    vma.set_start(start);
    vma.set_end(end);
    vma.set_offset(0);
    vma.set_object(0);
    vma.set_protection(protection);
    vma.set_flags(MAP_PRIVATE | MAP_ANONYMOUS);
    vma.set_status(kVmaRegular | kVmaAnonymousPrivate | status);
    vma.set_fd(-1);
    return vma;
}

// As CRIU dumps them: adjoining vvar areas are one.
Result<void> place_kernel_areas(images::AddressSpace &mm, std::uint64_t preferred, const Host &target,
                                AddressSpaceChange &change) {
    std::uint64_t size = 0;
    for (const KernelArea &area : target.kernel_areas) size += area.size;
    HRUNC_ASSIGN(std::uint64_t address, find_place(mm.vmas(), size, preferred, target));
    images::Vma vvar;
    for (const KernelArea &area : target.kernel_areas) {
        if (area.kind == KernelArea::Kind::kVdso) {
            change.vdso = address;
            insert_vma(*mm.mutable_vmas(),
                       anonymous_vma(address, address + area.size, PROT_READ | PROT_EXEC, kVmaVdso));
        } else if (vvar.has_end() && vvar.end() == address) {
            vvar.set_end(address + area.size);
        } else if (!vvar.has_end()) {
            vvar = anonymous_vma(address, address + area.size, PROT_READ, kVmaVvar);
        }
        address += area.size;
    }
    if (vvar.has_end()) insert_vma(*mm.mutable_vmas(), std::move(vvar));
    return {};
}

// The stack that the kernel made lies right below the source's limit. A migratable program has left it; its strings
// (the command line that ps shows) are worth keeping, so that part moves down, and the rest goes.
Result<void> move_start_stack(images::AddressSpace &mm, const Host &target, AddressSpaceChange &change) {
    Vmas &vmas = *mm.mutable_vmas();
    auto stack = std::find_if(vmas.begin(), vmas.end(), [&](const images::Vma &vma) {
        return (vma.status() & kVmaGuard) == 0 && mm.start_stack() >= vma.start() && mm.start_stack() < vma.end();
    });
    if (stack == vmas.end() || stack->end() <= target.address_limit) return {};
    if ((stack->status() & kVmaAnonymousPrivate) == 0) return refused("its first stack is not private memory");
    images::Vma vma = *stack;
    vmas.erase(stack);
    change.dropped.push_back({vma.start(), vma.end()});
    change.moved = {mm.start_stack() / target.page_size * target.page_size, vma.end()};
    std::uint64_t size = change.moved.end - change.moved.start;
    if (size > kMaxMovedStack)
        return refused(
            fmt::format("arguments and environment of {} bytes: more than the limit of {}", size, kMaxMovedStack));
    HRUNC_ASSIGN(change.moved_to, find_place(vmas, size, 0, target));
    vma.set_start(change.moved_to);
    vma.set_end(change.moved_to + size);
    insert_vma(vmas, std::move(vma));
    return {};
}

Result<void> check_limit(const images::AddressSpace &mm, const Host &target) {
    for (const images::Vma &vma : mm.vmas())
        if (vma.end() > target.address_limit - target.page_size)
            return refused(fmt::format("memory at {:#x}: {} here holds addresses below {:#x} only", vma.start(),
                                       arch::name(target.isa), target.address_limit - target.page_size));
    return {};
}

struct Field {
    const char *name;
    std::uint64_t (images::AddressSpace::*get)() const;
    void (images::AddressSpace::*set)(std::uint64_t);
};
#define HRUNC_FIELD(name) {#name, &images::AddressSpace::name, &images::AddressSpace::set_##name}
constexpr Field kFields[] = {
    HRUNC_FIELD(start_code),  HRUNC_FIELD(end_code),  HRUNC_FIELD(start_data), HRUNC_FIELD(end_data),
    HRUNC_FIELD(start_stack), HRUNC_FIELD(start_brk), HRUNC_FIELD(brk),        HRUNC_FIELD(arg_start),
    HRUNC_FIELD(arg_end),     HRUNC_FIELD(env_start), HRUNC_FIELD(env_end),
};
#undef HRUNC_FIELD

Result<void> recode_fields(images::AddressSpace &mm, const Host &target, const AddressSpaceChange &change) {
    for (const Field &field : kFields) {
        std::uint64_t value = (mm.*field.get)();
        if (value >= change.moved.start && value <= change.moved.end && change.moved_to != 0)
            (mm.*field.set)(value - change.moved.start + change.moved_to);
        else if (value >= target.address_limit)
            return refused(fmt::format("{} {:#x}: {} here holds addresses below {:#x} only", field.name, value,
                                       arch::name(target.isa), target.address_limit));
    }
    AuxvChange auxv{change.vdso, change.moved.start, change.moved.end - change.moved.start, change.moved_to};
    std::vector<std::uint64_t> words(mm.saved_auxv().begin(), mm.saved_auxv().end());
    words = recode_auxv(words, target, auxv);
    mm.mutable_saved_auxv()->Assign(words.begin(), words.end());
    return {};
}

Result<void> recode_file_mappings(Vmas &vmas, const std::set<std::uint64_t> &replaced_files, arch::Isa from,
                                  arch::Isa to, AddressSpaceChange &change) {
    for (images::Vma &vma : vmas) {
        if (vma.has_open_flags()) vma.set_open_flags(recode_open_flags(vma.open_flags(), from, to));
        bool file = (vma.status() & (kVmaFilePrivate | kVmaFileShared)) != 0;
        if (!file || replaced_files.count(vma.object()) == 0 || (vma.protection() & PROT_EXEC) == 0) continue;
        if ((vma.protection() & PROT_WRITE) != 0)
            return refused(fmt::format("memory at {:#x}: code that the program can write", vma.start()));
        change.dropped.push_back({vma.start(), vma.end()});
    }
    return {};
}

} // namespace

Result<AddressSpaceChange> recode_address_space(images::AddressSpace &mm, const std::set<std::uint64_t> &replaced_files,
                                                arch::Isa from, const Host &target) {
    Vmas &vmas = *mm.mutable_vmas();
    HRUNC_TRY(check_order(vmas, target.page_size));
    HRUNC_TRY(check_kinds(vmas, from));
    AddressSpaceChange change;
    std::uint64_t old_place = 0;
    for (auto vma = vmas.begin(); vma != vmas.end();) {
        if ((vma->status() & kKernelAreas) == 0) {
            ++vma;
            continue;
        }
        bool vsyscall = (vma->status() & kVmaVsyscall) != 0;
        if (!vsyscall && (old_place == 0 || vma->start() < old_place)) old_place = vma->start();
        change.dropped.push_back({vma->start(), vma->end()});
        vma = vmas.erase(vma);
    }
    HRUNC_TRY(recode_file_mappings(vmas, replaced_files, from, target.isa, change));
    HRUNC_TRY(move_start_stack(mm, target, change));
    HRUNC_TRY(check_limit(mm, target));
    HRUNC_TRY(place_kernel_areas(mm, old_place, target, change));
    HRUNC_TRY(recode_fields(mm, target, change));
    std::sort(change.dropped.begin(), change.dropped.end(),
              [](const AddressRange &a, const AddressRange &b) { return a.start < b.start; });
    return change;
}

} // namespace hrunc::recode
