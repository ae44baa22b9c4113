#include "recode/portable_note.h"

#include <elf.h>

#include <cstring>

#include "popcorn/abi.h"

namespace hrunc::recode {

Result<std::optional<std::uint64_t>> portable_process(const Elf &elf) {
    HRUNC_ASSIGN(std::optional<std::string> note, elf.note(POPCORN_NOTE_OWNER, POPCORN_NOTE_PROCESS));
    if (!note) return std::optional<std::uint64_t>();
    std::uint64_t address = 0;
    if (note->size() != sizeof address)
        return Error(ErrorCode::kInvalid, "its note of the portable ABI has " + std::to_string(note->size()) +
                                              " bytes, not " + std::to_string(sizeof address));
    std::memcpy(&address, note->data(), sizeof address);
    const ElfSegment *segment = elf.load_segment(address, sizeof(popcorn_process));
    if (segment == nullptr || (segment->flags & PF_W) == 0)
        return Error(ErrorCode::kInvalid, "its note of the portable ABI names no writable data");
    return std::optional(address);
}

} // namespace hrunc::recode
