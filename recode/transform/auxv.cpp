#include "recode/transform/auxv.h"

#include <elf.h>

#include <algorithm>

namespace hrunc::recode {

namespace {

// <linux/auxvec.h>, as far as <elf.h> of an older C library may not have them.
constexpr std::uint64_t kRseqFeatureSize = 27, kRseqAlign = 28, kHwcap3 = 29, kHwcap4 = 30, kMinSigStkSz = 51;

constexpr std::uint64_t kDropped[] = {AT_PLATFORM, AT_BASE_PLATFORM, AT_SYSINFO, kRseqFeatureSize,
                                      kRseqAlign,  kHwcap3,          kHwcap4};
constexpr std::uint64_t kPointers[] = {AT_RANDOM, AT_EXECFN};

bool contains(const auto &list, std::uint64_t value) {
    return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

} // namespace

std::vector<std::uint64_t> recode_auxv(const std::vector<std::uint64_t> &words, const Host &target,
                                       const AuxvChange &change) {
    std::vector<std::uint64_t> out = {AT_SYSINFO_EHDR, change.vdso, AT_HWCAP, target.hwcap, AT_HWCAP2, target.hwcap2};
    if (target.minimum_signal_stack != 0) out.insert(out.end(), {kMinSigStkSz, target.minimum_signal_stack});
    for (std::size_t i = 0; i + 1 < words.size() && words[i] != AT_NULL; i += 2) {
        std::uint64_t type = words[i], value = words[i + 1];
        if (contains(kDropped, type) || type == AT_SYSINFO_EHDR || type == AT_HWCAP || type == AT_HWCAP2 ||
            type == kMinSigStkSz)
            continue;
        if (contains(kPointers, type) && value - change.moved_from < change.moved_size)
            value = value - change.moved_from + change.moved_to;
        if (out.size() + 2 <= kMaxAuxvWords - 2) out.insert(out.end(), {type, value});
    }
    out.insert(out.end(), {AT_NULL, 0});
    return out;
}

} // namespace hrunc::recode
