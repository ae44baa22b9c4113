// A bounded reader of ELF64 little-endian executables (System V gABI, chapters 4 and 5; <elf.h>). It reads what it is
// asked for and never the whole file, so a file of any size costs little; every size that the file states is checked
// against a named limit and against the file's end. The file is untrusted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arch/isa.h"
#include "base/fd.h"
#include "base/result.h"

namespace hrunc::recode {

inline constexpr std::uint32_t kMaxElfSegments = 512;
inline constexpr std::uint64_t kMaxElfNoteBytes = std::uint64_t{1} << 20;   // of one note segment
inline constexpr std::uint64_t kMaxElfSymbols = std::uint64_t{8} << 20;     // of one symbol table
inline constexpr std::uint64_t kMaxElfStringBytes = std::uint64_t{1} << 30; // of one string table
inline constexpr std::uint64_t kMaxElfReadBytes = std::uint64_t{256} << 20; // of one read()
inline constexpr std::uint32_t kMaxElfNameMatches = 4096;                   // in one string table, for one name
inline constexpr std::uint64_t kElfAddressLimit = std::uint64_t{1} << 56;   // above what either ISA can map

inline constexpr std::uint32_t kElfNoteBuildId = 3; // NT_GNU_BUILD_ID, owner "GNU"

struct ElfSegment {
    std::uint32_t type = 0, flags = 0; // PT_*, PF_*
    std::uint64_t offset = 0, file_size = 0;
    std::uint64_t address = 0, memory_size = 0;
    std::uint64_t alignment = 0;
};

struct ElfSymbol {
    std::uint64_t address = 0, size = 0; // as linked: a position-independent file needs its load bias added
};

class Elf {
  public:
    // Checks the header and reads the program headers. ErrorCode::kRefused: a sound file of another class, byte order
    // or machine; kInvalid: not a sound ELF file.
    static Result<Elf> open(Fd file);
    static Result<Elf> from_bytes(std::string bytes);

    arch::Isa isa() const { return isa_; }
    std::uint16_t type() const { return type_; } // ET_EXEC, ET_DYN, ...
    bool position_independent() const;
    std::uint64_t entry() const { return entry_; }
    std::uint64_t file_size() const { return file_size_; }
    const std::vector<ElfSegment> &segments() const { return segments_; } // all types, in the file's order

    // The PT_LOAD segment whose memory holds all of [address, address + size); null if none does.
    const ElfSegment *load_segment(std::uint64_t address, std::uint64_t size) const;
    // Where the file holds [address, address + size); nothing if it does not (.bss, or outside every segment).
    std::optional<std::uint64_t> file_offset(std::uint64_t address, std::uint64_t size) const;
    Result<std::string> read(std::uint64_t offset, std::uint64_t size) const;

    // Description of the first note of this owner and type in any PT_NOTE segment.
    Result<std::optional<std::string>> note(std::string_view owner, std::uint32_t type) const;
    Result<std::optional<std::string>> build_id() const { return note("GNU", kElfNoteBuildId); } // raw bytes

    // The defined symbols of these names in .symtab, and for those not found there in .dynsym; names that the file does
    // not define are left out of the map. Global and weak symbols go before local ones; thread-local ones, section and
    // file names do not count. A symbol that lies outside every PT_LOAD segment is an error.
    Result<std::map<std::string, ElfSymbol>> symbols(std::span<const std::string_view> names) const;

  private:
    struct Table;
    Elf() = default;
    static Result<Elf> parse(std::variant<Fd, std::string> source, std::uint64_t file_size);
    Result<void> read_into(void *out, std::uint64_t offset, std::uint64_t size, std::string_view what) const;
    Result<void> read_segments(std::uint64_t offset, std::uint32_t count);
    Result<std::optional<std::string>> note_in(const ElfSegment &segment, std::string_view owner,
                                               std::uint32_t type) const;
    Result<std::optional<Table>> find_table(std::uint32_t section_type) const;
    Result<std::map<std::uint32_t, std::size_t>> find_names(const Table &table,
                                                            std::span<const std::string_view> names) const;
    Result<void> scan_table(const Table &table, std::span<const std::string_view> names,
                            std::map<std::string, ElfSymbol> &found) const;

    std::variant<Fd, std::string> source_;
    std::uint64_t file_size_ = 0;
    arch::Isa isa_ = arch::host();
    std::uint16_t type_ = 0;
    std::uint64_t entry_ = 0, section_offset_ = 0;
    std::uint32_t section_count_ = 0;
    std::vector<ElfSegment> segments_;
};

} // namespace hrunc::recode
