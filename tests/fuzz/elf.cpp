#include "recode/elf.h"
#include "recode/portable_note.h"

#include <array>

using hrunc::recode::Elf;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    hrunc::Result<Elf> elf = Elf::from_bytes(std::string(reinterpret_cast<const char *>(data), size));
    if (!elf) return 0;
    constexpr std::array<std::string_view, 3> kNames{"__migrate_gb_variable", "regs_dst", "x"};
    if (auto symbols = elf->symbols(kNames); symbols.ok())
        for (const auto &[name, symbol] : *symbols)
            if (elf->load_segment(symbol.address, symbol.size) == nullptr) std::abort();
    (void)elf->build_id().ok();
    if (auto process = hrunc::recode::portable_process(*elf); process.ok() && process->has_value())
        if (elf->load_segment(**process, 1) == nullptr) std::abort();
    for (const auto &segment : elf->segments()) (void)elf->read(segment.offset, segment.file_size).ok();
    if (auto at = elf->file_offset(elf->entry(), 16); at && !elf->read(*at, 16).ok()) std::abort();
    return 0;
}
