#include "recode/memory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "recode/image_directory.h"
#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/text.h"

namespace hrunc::recode {
namespace {

Error invalid(std::string text) {
    return Error(ErrorCode::kInvalid, std::move(text));
}

} // namespace

std::uint64_t run_pages(const images::PageRun &run) {
    return run.has_count() ? run.count() : run.count_low();
}

PageRange::Place run_place(const images::PageRun &run) {
    if (run.in_parent() || (run.flags() & kPagesInParent) != 0) return PageRange::Place::kParent;
    if (!run.has_flags() || (run.flags() & kPagesPresent) != 0) return PageRange::Place::kPages;
    return PageRange::Place::kLazy;
}

void set_run(images::PageRun &run, std::uint64_t address, std::uint32_t pages, PageRange::Place place) {
    constexpr std::array<std::uint32_t, 3> kFlags{kPagesPresent, kPagesInParent, kPagesLazy};
    run.set_address(address);
    run.set_count_low(pages);
    run.set_count(pages);
    run.clear_in_parent();
    run.set_flags(kFlags[static_cast<std::size_t>(place)]);
}

Result<Pagemap> Pagemap::read(const Fd &directory, const std::string &name, std::size_t max_runs) {
    Pagemap pagemap;
    HRUNC_TRY(pagemap.read_runs(directory, name, max_runs));
    HRUNC_TRY(pagemap.find_page_size(directory));
    HRUNC_TRY(pagemap.check_order(name));
    return pagemap;
}

Result<void> Pagemap::read_runs(const Fd &directory, const std::string &name, std::size_t max_runs) {
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(directory, name));
    if (auto kind = reader.type().type->kind; kind != ImageKind::kPagemap && kind != ImageKind::kSharedPagemap)
        return Error(ErrorCode::kInternal, name + ": not a pagemap");
    HRUNC_ASSIGN(auto head, reader.next());
    if (!head) return invalid(name + ": no entry");
    pages_name_ = image_name(ImageKind::kPages, static_cast<const images::PagemapHead &>(*head->message).pages());
    for (;;) {
        HRUNC_ASSIGN(auto entry, reader.next());
        if (!entry) return {};
        const auto &run = static_cast<const images::PageRun &>(*entry->message);
        std::string at = name + ": offset " + std::to_string(entry->offset) + ": ";
        if (runs_.size() == max_runs)
            return invalid(at + "more than the limit of " + std::to_string(kMaxPageRuns) + " runs (kMaxPageRuns)");
        // So many pages of any size do not fit into an address space; sums of them do not overflow.
        if (run_pages(run) == 0 || run_pages(run) > UINT64_MAX / kPageSizes.front())
            return invalid(at + "run of " + std::to_string(run_pages(run)) + " pages");
        PageRange range{run.address(), run_pages(run), 0, run_place(run)};
        std::uint64_t &count = counts_[static_cast<std::size_t>(range.place)];
        if (range.place == PageRange::Place::kPages) range.first = count;
        if (__builtin_add_overflow(count, range.pages, &count)) return invalid(at + "pages beyond 2^64");
        runs_.push_back(range);
    }
}

Result<void> Pagemap::find_page_size(const Fd &directory) {
    struct stat status{};
    if (fstatat(directory.get(), pages_name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return {};
        return Error::system("stat \"" + pages_name_ + "\"");
    }
    if (!S_ISREG(status.st_mode)) return invalid("\"" + pages_name_ + "\": not a regular file");
    has_pages_file_ = true;
    std::uint64_t pages = count(PageRange::Place::kPages);
    auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (pages == 0 && bytes == 0) return {};
    for (std::uint64_t size : kPageSizes)
        if (bytes % size == 0 && bytes / size == pages) {
            page_size_ = size;
            return {};
        }
    return invalid(pages_name_ + ": " + std::to_string(bytes) + " bytes: not what the pagemap's " +
                   std::to_string(pages) + " pages take");
}

Result<void> Pagemap::check_order(const std::string &name) const {
    std::uint64_t end = 0;
    for (const PageRange &run : runs_) {
        std::uint64_t size = 0, run_end = 0;
        if (run.address % page_size_ != 0) return invalid(name + ": run at " + hex(run.address) + ": not page-aligned");
        if (run.address < end)
            return invalid(name + ": run at " + hex(run.address) + ": the one before ends at " + hex(end));
        if (__builtin_mul_overflow(run.pages, page_size_, &size) || __builtin_add_overflow(run.address, size, &run_end))
            return invalid(name + ": run at " + hex(run.address) + ": " + std::to_string(run.pages) +
                           " pages pass the end of the address space");
        end = run_end;
    }
    return {};
}

const PageRange *Pagemap::find(std::uint64_t address) const {
    auto after = std::upper_bound(runs_.begin(), runs_.end(), address,
                                  [](std::uint64_t at, const PageRange &run) { return at < run.address; });
    if (after == runs_.begin()) return nullptr;
    const PageRange &run = *std::prev(after);
    return address < end(run) ? &run : nullptr;
}

Result<DumpedMemory> DumpedMemory::open(const Fd &directory, const std::string &name) {
    DumpedMemory memory;
    memory.name_ = name;
    HRUNC_ASSIGN(Fd own, directory.duplicate());
    HRUNC_TRY(memory.add_level(std::move(own)));
    return memory;
}

Result<DumpedMemory> DumpedMemory::of_process(const Fd &directory, std::uint32_t pid) {
    return open(directory, image_name(ImageKind::kPagemap, pid));
}

Result<void> DumpedMemory::add_level(Fd directory) {
    HRUNC_ASSIGN(Pagemap pagemap, Pagemap::read(directory, name_, kMaxPageRuns - runs_));
    if (!levels_.empty() && pagemap.page_size() != levels_.front().pagemap.page_size())
        return invalid(name_ + ": pages of " + std::to_string(pagemap.page_size()) + " bytes, but " +
                       std::to_string(levels_.front().pagemap.page_size()) + " in the images that add to it");
    runs_ += pagemap.runs().size();
    levels_.push_back(Level{std::move(directory), std::move(pagemap), {}});
    return {};
}

// Makes levels_[level] there: the parent of the last one.
Result<void> DumpedMemory::reach(std::size_t level) {
    if (level < levels_.size()) return {};
    if (level > kMaxParents)
        return invalid("more than the limit of " + std::to_string(kMaxParents) + " parents (kMaxParents)");
    HRUNC_ASSIGN(auto parent, open_parent(levels_.back().directory));
    if (!parent) return invalid("pages in a parent, but no link \"parent\"");
    HRUNC_TRY_IN(add_level(std::move(*parent)), "\"parent\"");
    return {};
}

Result<void> DumpedMemory::read_pages(Level &level, const PageRange &run, std::uint64_t address, char *out,
                                      std::size_t size) {
    const std::string &name = level.pagemap.pages_name();
    if (!level.pages) {
        HRUNC_ASSIGN(level.pages, open_image(level.directory, name));
    }
    std::uint64_t offset = run.first * level.pagemap.page_size() + (address - run.address);
    HRUNC_TRY_IN(read_exactly_at(level.pages, out, size, offset), name);
    return {};
}

Result<void> DumpedMemory::read(std::uint64_t address, void *out, std::size_t size) {
    auto *to = static_cast<char *>(out);
    while (size > 0) {
        std::uint64_t part = size;
        for (std::size_t level = 0;; ++level) {
            HRUNC_TRY_IN(reach(level), name_ + ": address " + hex(address));
            const PageRange *run = levels_[level].pagemap.find(address);
            if (!run || run->place == PageRange::Place::kLazy)
                return invalid(name_ + ": address " + hex(address) + ": not in the dump");
            part = std::min(part, levels_[level].pagemap.end(*run) - address);
            if (run->place == PageRange::Place::kParent) continue;
            HRUNC_TRY(read_pages(levels_[level], *run, address, to, static_cast<std::size_t>(part)));
            break;
        }
        address += part;
        to += part;
        size -= static_cast<std::size_t>(part);
    }
    return {};
}

Result<std::string> DumpedMemory::read_string(std::uint64_t address, std::size_t limit) {
    std::string text;
    while (text.size() <= limit) {
        std::uint64_t at = address + text.size();
        std::uint64_t to_page_end = kPageSizes.front() - at % kPageSizes.front();
        auto part = static_cast<std::size_t>(std::min<std::uint64_t>(to_page_end, limit + 1 - text.size()));
        std::size_t before = text.size();
        text.resize(before + part);
        HRUNC_TRY(read(at, text.data() + before, part));
        if (auto zero = text.find('\0', before); zero != text.npos) {
            text.resize(zero);
            return text;
        }
    }
    return invalid(name_ + ": address " + hex(address) + ": a text longer than the limit of " + std::to_string(limit) +
                   " bytes");
}

bool DumpedMemory::holds(std::uint64_t address, std::uint64_t size) const {
    const Pagemap &map = pagemap();
    while (size > 0) {
        const PageRange *run = map.find(address);
        if (!run || run->place == PageRange::Place::kLazy) return false;
        std::uint64_t part = std::min(size, map.end(*run) - address);
        address += part;
        size -= part;
    }
    return true;
}

} // namespace hrunc::recode
