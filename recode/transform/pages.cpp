#include "recode/transform/pages.h"

#include <fmt/format.h>

#include <algorithm>

namespace hrunc::recode {

namespace {

void subtract(AddressRange run, const std::vector<AddressRange> &dropped, std::vector<AddressRange> &out) {
    auto range = std::lower_bound(dropped.begin(), dropped.end(), run.start,
                                  [](const AddressRange &a, std::uint64_t address) { return a.end <= address; });
    for (; range != dropped.end() && range->start < run.end; ++range) {
        if (range->start > run.start) out.push_back({run.start, range->start});
        run.start = std::max(run.start, range->end);
        if (run.start >= run.end) return;
    }
    out.push_back(run);
}

void add_run(Image &out, const AddressRange &range, PageRange::Place place, std::uint64_t page_size) {
    constexpr std::uint64_t kMaxCount = 0x7fffffff; // CRIU before 4.2 counts in an int
    std::uint64_t count = (range.end - range.start) / page_size;
    for (std::uint64_t address = range.start; count > 0;) {
        std::uint64_t now = std::min(count, kMaxCount);
        set_run(out.add<images::PageRun>(), address, static_cast<std::uint32_t>(now), place);
        address += now * page_size;
        count -= now;
    }
}

} // namespace

Result<PageChange> recode_pagemap(const Pagemap &source, std::uint32_t pages_id,
                                  const std::vector<AddressRange> &dropped, std::vector<NewPages> added, Image &out) {
    std::vector<AddressRange> kept;
    for (const PageRange &run : source.runs()) {
        if (run.place == PageRange::Place::kLazy)
            return Error(ErrorCode::kRefused, fmt::format("memory at {:#x} is in no image (a lazy dump)", run.address));
        AddressRange range{run.address, source.end(run)};
        if (!kept.empty() && kept.back().end == range.start) {
            range.start = kept.back().start;
            kept.pop_back();
        }
        subtract(range, dropped, kept);
    }
    std::sort(added.begin(), added.end(), [](const NewPages &a, const NewPages &b) { return a.address < b.address; });

    PageChange change;
    out.add<images::PagemapHead>().set_pages(pages_id);
    std::uint64_t page_size = source.page_size();
    auto next = added.begin();
    auto add_before = [&](std::uint64_t address) {
        for (; next != added.end() && next->address < address; ++next) {
            add_run(out, {next->address, next->address + next->bytes.size()}, PageRange::Place::kPages, page_size);
            change.written += next->bytes.size() / page_size;
            change.bytes += next->bytes;
        }
    };
    for (const AddressRange &range : kept) {
        add_before(range.start);
        add_run(out, range, PageRange::Place::kParent, page_size);
        change.in_parent += (range.end - range.start) / page_size;
    }
    add_before(UINT64_MAX);
    return change;
}

} // namespace hrunc::recode
