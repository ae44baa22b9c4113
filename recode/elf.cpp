#include "recode/elf.h"

#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace hrunc::recode {

static_assert(std::endian::native == std::endian::little, "the structures of <elf.h> are read as they stand");

namespace {

constexpr std::uint64_t kChunk = std::uint64_t{64} << 10;

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%" PRIx64, value);
    return text;
}

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

Error invalid(std::string text) {
    return {ErrorCode::kInvalid, std::move(text)};
}

// Whether [inner, inner + inner_size) lies in [outer, outer + outer_size), without overflow.
bool within(std::uint64_t inner, std::uint64_t inner_size, std::uint64_t outer, std::uint64_t outer_size) {
    return inner >= outer && inner - outer <= outer_size && inner_size <= outer_size - (inner - outer);
}

Result<arch::Isa> check_header(const Elf64_Ehdr &header) {
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return invalid("not an ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64) return Error(ErrorCode::kRefused, "not a 64-bit ELF file");
    if (header.e_ident[EI_DATA] != ELFDATA2LSB) return Error(ErrorCode::kRefused, "not a little-endian ELF file");
    if (header.e_ident[EI_VERSION] != EV_CURRENT) return invalid("ELF version " + number(header.e_ident[EI_VERSION]));
    std::optional<arch::Isa> isa = arch::from_elf_machine(header.e_machine);
    if (!isa)
        return Error(ErrorCode::kRefused, "ELF machine " + number(header.e_machine) + ": neither x86-64 nor aarch64");
    if (header.e_phnum > kMaxElfSegments)
        return invalid(number(header.e_phnum) + " program headers: above the limit of " + number(kMaxElfSegments));
    if (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr))
        return invalid("program headers of " + number(header.e_phentsize) + " bytes");
    if (header.e_shnum > 0 && header.e_shentsize != sizeof(Elf64_Shdr))
        return invalid("section headers of " + number(header.e_shentsize) + " bytes");
    return *isa;
}

} // namespace

// A symbol table section and the string table that it links to; both lie inside the file.
struct Elf::Table {
    std::uint64_t symbols_offset, symbol_count;
    std::uint64_t strings_offset, strings_size;
};

Result<Elf> Elf::open(Fd file) {
    struct stat status{};
    if (fstat(file.get(), &status) != 0) return Error::system("stat an ELF file");
    if (!S_ISREG(status.st_mode)) return invalid("not a regular file");
    return parse(std::move(file), static_cast<std::uint64_t>(status.st_size));
}

Result<Elf> Elf::from_bytes(std::string bytes) {
    std::uint64_t size = bytes.size();
    return parse(std::move(bytes), size);
}

Result<Elf> Elf::parse(std::variant<Fd, std::string> source, std::uint64_t file_size) {
    Elf elf;
    elf.source_ = std::move(source);
    elf.file_size_ = file_size;
    Elf64_Ehdr header;
    if (file_size < sizeof header) return invalid("not an ELF file");
    HRUNC_TRY(elf.read_into(&header, 0, sizeof header, "ELF header"));
    HRUNC_ASSIGN(elf.isa_, check_header(header));
    elf.type_ = header.e_type;
    elf.entry_ = header.e_entry;
    elf.section_offset_ = header.e_shoff;
    elf.section_count_ = header.e_shnum;
    HRUNC_TRY(elf.read_segments(header.e_phoff, header.e_phnum));
    return elf;
}

bool Elf::position_independent() const {
    return type_ == ET_DYN;
}

Result<void> Elf::read_into(void *out, std::uint64_t offset, std::uint64_t size, std::string_view what) const {
    if (!within(offset, size, 0, file_size_))
        return invalid(std::string(what) + " at offset " + number(offset) + ", " + number(size) +
                       " bytes: beyond the file's end at " + number(file_size_));
    if (size == 0) return {}; // memcpy takes no null pointer, not even for nothing
    if (const Fd *file = std::get_if<Fd>(&source_)) {
        HRUNC_TRY_IN(read_exactly_at(*file, out, size, offset), what);
        return {};
    }
    std::memcpy(out, std::get<std::string>(source_).data() + offset, size);
    return {};
}

Result<std::string> Elf::read(std::uint64_t offset, std::uint64_t size) const {
    if (size > kMaxElfReadBytes)
        return invalid(number(size) + " bytes at offset " + number(offset) + ": above the limit of " +
                       number(kMaxElfReadBytes));
    // Before the allocation: what a hostile header claims is no reason to reserve memory.
    if (!within(offset, size, 0, file_size_)) return read_into(nullptr, offset, size, "bytes").error();
    std::string bytes(size, '\0');
    HRUNC_TRY(read_into(bytes.data(), offset, size, "bytes"));
    return bytes;
}

Result<void> Elf::read_segments(std::uint64_t offset, std::uint32_t count) {
    std::vector<Elf64_Phdr> headers(count);
    HRUNC_TRY(read_into(headers.data(), offset, count * sizeof(Elf64_Phdr), "program headers"));
    for (std::uint32_t i = 0; i < count; ++i) {
        const Elf64_Phdr &header = headers[i];
        if (header.p_type == PT_LOAD) {
            std::string what = "program header " + number(i) + ": ";
            if (!within(header.p_vaddr, header.p_memsz, 0, kElfAddressLimit))
                return invalid(what + hex(header.p_memsz) + " bytes at " + hex(header.p_vaddr) +
                               ": above the limit of " + hex(kElfAddressLimit));
            if (header.p_filesz > header.p_memsz)
                return invalid(what + hex(header.p_filesz) + " bytes of file for " + hex(header.p_memsz) +
                               " bytes of memory");
            if (header.p_filesz > 0 && !within(header.p_offset, header.p_filesz, 0, file_size_))
                return invalid(what + hex(header.p_filesz) + " bytes at offset " + number(header.p_offset) +
                               ": beyond the file's end at " + number(file_size_));
        }
        segments_.push_back({header.p_type, header.p_flags, header.p_offset, header.p_filesz, header.p_vaddr,
                             header.p_memsz, header.p_align});
    }
    return {};
}

const ElfSegment *Elf::load_segment(std::uint64_t address, std::uint64_t size) const {
    for (const ElfSegment &segment : segments_)
        if (segment.type == PT_LOAD && within(address, size, segment.address, segment.memory_size)) return &segment;
    return nullptr;
}

std::optional<std::uint64_t> Elf::file_offset(std::uint64_t address, std::uint64_t size) const {
    for (const ElfSegment &segment : segments_)
        if (segment.type == PT_LOAD && within(address, size, segment.address, segment.file_size))
            return segment.offset + (address - segment.address);
    return std::nullopt;
}

Result<std::optional<std::string>> Elf::note(std::string_view owner, std::uint32_t type) const {
    for (const ElfSegment &segment : segments_) {
        if (segment.type != PT_NOTE) continue;
        HRUNC_ASSIGN(std::optional<std::string> found, note_in(segment, owner, type));
        if (found) return found;
    }
    return std::optional<std::string>();
}

Result<std::optional<std::string>> Elf::note_in(const ElfSegment &segment, std::string_view owner,
                                                std::uint32_t type) const {
    if (segment.file_size > kMaxElfNoteBytes)
        return invalid(number(segment.file_size) + " bytes of notes at offset " + number(segment.offset) +
                       ": above the limit of " + number(kMaxElfNoteBytes));
    HRUNC_ASSIGN_IN(std::string bytes, read(segment.offset, segment.file_size), "notes");
    // gABI pads to words; .note.gnu.property pads to 8 bytes and says so in the segment's alignment.
    const std::uint64_t padding = segment.alignment == 8 ? 8 : 4;
    auto padded = [padding](std::uint64_t size) { return (size + padding - 1) / padding * padding; };
    std::uint64_t at = 0;
    while (bytes.size() - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr header;
        std::memcpy(&header, bytes.data() + at, sizeof header);
        std::uint64_t name = at + sizeof header;
        std::uint64_t description = at + padded(sizeof header + header.n_namesz);
        if (!within(name, header.n_namesz, 0, bytes.size()) || !within(description, header.n_descsz, 0, bytes.size()))
            return invalid("note at offset " + number(segment.offset + at) + ": beyond the end of its segment");
        std::string_view name_text(bytes.data() + name, header.n_namesz);
        if (!name_text.empty() && name_text.back() == '\0') name_text.remove_suffix(1);
        if (header.n_type == type && name_text == owner)
            return std::optional<std::string>(bytes.substr(description, header.n_descsz));
        at = std::min<std::uint64_t>(description + padded(header.n_descsz), bytes.size());
    }
    return std::optional<std::string>();
}

Result<std::optional<Elf::Table>> Elf::find_table(std::uint32_t section_type) const {
    if (section_count_ == 0) return std::optional<Table>();
    std::vector<Elf64_Shdr> sections;
    if (!within(section_offset_, section_count_ * sizeof(Elf64_Shdr), 0, file_size_))
        return read_into(nullptr, section_offset_, section_count_ * sizeof(Elf64_Shdr), "section headers").error();
    sections.resize(section_count_);
    HRUNC_TRY(read_into(sections.data(), section_offset_, section_count_ * sizeof(Elf64_Shdr), "section headers"));
    auto found = std::find_if(sections.begin(), sections.end(),
                              [&](const Elf64_Shdr &section) { return section.sh_type == section_type; });
    if (found == sections.end()) return std::optional<Table>();
    std::string what = "section " + number(static_cast<std::uint64_t>(found - sections.begin())) + ": ";
    if (found->sh_entsize != sizeof(Elf64_Sym))
        return invalid(what + "symbols of " + number(found->sh_entsize) + " bytes");
    if (!within(found->sh_offset, found->sh_size, 0, file_size_))
        return invalid(what + "symbols beyond the file's end at " + number(file_size_));
    std::uint64_t count = found->sh_size / sizeof(Elf64_Sym);
    if (count > kMaxElfSymbols)
        return invalid(what + number(count) + " symbols: above the limit of " + number(kMaxElfSymbols));
    if (found->sh_link >= sections.size() || sections[found->sh_link].sh_type != SHT_STRTAB)
        return invalid(what + "links to section " + number(found->sh_link) + ", which is no string table");
    const Elf64_Shdr &strings = sections[found->sh_link];
    if (!within(strings.sh_offset, strings.sh_size, 0, file_size_))
        return invalid(what + "names beyond the file's end at " + number(file_size_));
    if (strings.sh_size > kMaxElfStringBytes)
        return invalid(what + number(strings.sh_size) + " bytes of names: above the limit of " +
                       number(kMaxElfStringBytes));
    return std::optional<Table>({found->sh_offset, count, strings.sh_offset, strings.sh_size});
}

// Every place in the string table where one of the names ends with its zero, be it the tail of a longer name: linkers
// share tails. Looking here first lets the scan of the symbols compare numbers only.
Result<std::map<std::uint32_t, std::size_t>> Elf::find_names(const Table &table,
                                                             std::span<const std::string_view> names) const {
    std::size_t longest = 0;
    for (std::string_view name : names) longest = std::max(longest, name.size() + 1);
    std::map<std::uint32_t, std::size_t> offsets;
    std::vector<std::uint32_t> matches(names.size());
    std::string chunk;
    for (std::uint64_t at = 0; at < table.strings_size; at += kChunk) {
        // Each chunk reaches into the next one by the longest name; what starts there is found by the next one.
        chunk.resize(std::min<std::uint64_t>(kChunk + longest, table.strings_size - at));
        HRUNC_TRY(read_into(chunk.data(), table.strings_offset + at, chunk.size(), "symbol names"));
        for (std::size_t i = 0; i < names.size(); ++i) {
            std::string wanted = std::string(names[i]) + '\0';
            for (std::size_t hit = chunk.find(wanted); hit < kChunk; hit = chunk.find(wanted, hit + 1)) {
                if (++matches[i] > kMaxElfNameMatches)
                    return invalid("more than " + number(kMaxElfNameMatches) + " symbols named \"" +
                                   std::string(names[i]) + "\"");
                offsets[static_cast<std::uint32_t>(at + hit)] = i;
            }
        }
    }
    return offsets;
}

Result<void> Elf::scan_table(const Table &table, std::span<const std::string_view> names,
                             std::map<std::string, ElfSymbol> &found) const {
    HRUNC_ASSIGN(auto offsets, find_names(table, names));
    if (offsets.empty()) return {};
    std::map<std::string, ElfSymbol> local, global;
    std::vector<Elf64_Sym> chunk;
    constexpr std::uint64_t kPerChunk = kChunk / sizeof(Elf64_Sym);
    for (std::uint64_t at = 0; at < table.symbol_count; at += kPerChunk) {
        chunk.resize(std::min(kPerChunk, table.symbol_count - at));
        HRUNC_TRY(read_into(chunk.data(), table.symbols_offset + at * sizeof(Elf64_Sym),
                            chunk.size() * sizeof(Elf64_Sym), "symbols"));
        for (const Elf64_Sym &symbol : chunk) {
            auto name = offsets.find(symbol.st_name);
            if (name == offsets.end() || symbol.st_shndx == SHN_UNDEF) continue;
            unsigned type = ELF64_ST_TYPE(symbol.st_info);
            if (type == STT_TLS || type == STT_SECTION || type == STT_FILE) continue;
            auto &scope = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL ? local : global;
            scope.try_emplace(std::string(names[name->second]), ElfSymbol{symbol.st_value, symbol.st_size});
        }
    }
    global.merge(local);
    for (const auto &[name, symbol] : global)
        if (load_segment(symbol.address, symbol.size) == nullptr)
            return invalid("symbol \"" + name + "\": " + number(symbol.size) + " bytes at " + hex(symbol.address) +
                           ": outside every segment");
    found.merge(global);
    return {};
}

Result<std::map<std::string, ElfSymbol>> Elf::symbols(std::span<const std::string_view> names) const {
    std::map<std::string, ElfSymbol> found;
    for (std::uint32_t section_type : {SHT_SYMTAB, SHT_DYNSYM}) {
        std::vector<std::string_view> missing;
        for (std::string_view name : names)
            if (!found.contains(std::string(name))) missing.push_back(name);
        if (missing.empty()) break;
        HRUNC_ASSIGN(std::optional<Table> table, find_table(section_type));
        if (table) HRUNC_TRY(scan_table(*table, missing, found));
    }
    return found;
}

} // namespace hrunc::recode
