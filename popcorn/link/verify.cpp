#include "popcorn/link/verify.h"

#include <map>
#include <set>

#include <fmt/format.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Object/ELFObjectFile.h>

namespace hrunc::link {
namespace {

using namespace llvm::object;
using Elf = ELF64LEObjectFile;

struct Symbol {
    uint64_t address, size;
    uint8_t kind;
};

struct Executable {
    OwningBinary<ObjectFile> owner;
    const Elf *elf = nullptr;
    std::map<std::string, Symbol> symbols;
};

Error different(std::string text) {
    return Error(ErrorCode::kInternal, "the executables differ: " + std::move(text));
}
Error invalid(const std::string &what, llvm::Error error) {
    return Error(ErrorCode::kInternal, what + ": " + llvm::toString(std::move(error)));
}

// Symbols by name; local ones that share a name are left out.
Result<void> read_symbols(Executable &file, const std::string &path) {
    std::set<std::string> twice;
    for (const ELFSymbolRef symbol : file.elf->symbols()) {
        auto name = symbol.getName();
        auto flags = symbol.getFlags();
        auto address = symbol.getAddress();
        if (!name) return invalid(path, name.takeError());
        if (!flags) return invalid(path, flags.takeError());
        if (!address) return invalid(path, address.takeError());
        uint8_t kind = symbol.getELFType();
        if (*flags & SymbolRef::SF_Undefined || (kind != llvm::ELF::STT_FUNC && kind != llvm::ELF::STT_OBJECT))
            continue;
        if (!file.symbols.try_emplace(name->str(), Symbol{*address, symbol.getSize(), kind}).second)
            twice.insert(name->str());
    }
    for (const std::string &name : twice) file.symbols.erase(name);
    return {};
}

Result<Executable> open(const std::string &path) {
    auto file = ObjectFile::createObjectFile(path);
    if (!file) return invalid(path, file.takeError());
    Executable result{std::move(*file), nullptr, {}};
    result.elf = llvm::dyn_cast<Elf>(result.owner.getBinary());
    if (!result.elf) return Error(ErrorCode::kInternal, path + ": not a 64-bit little-endian executable");
    HRUNC_TRY(read_symbols(result, path));
    return result;
}

Result<void> same_headers(const Executable &one, const Executable &other) {
    const auto &a = one.elf->getELFFile(), &b = other.elf->getELFFile();
    if (a.getHeader().e_entry != b.getHeader().e_entry)
        return different(fmt::format("entry point {:#x} and {:#x}", uint64_t{a.getHeader().e_entry},
                                     uint64_t{b.getHeader().e_entry}));
    auto first = a.program_headers(), second = b.program_headers();
    if (!first) return invalid("program headers", first.takeError());
    if (!second) return invalid("program headers", second.takeError());
    if (first->size() != second->size())
        return different(fmt::format("{} and {} program headers", first->size(), second->size()));
    for (size_t i = 0; i < first->size(); i++) {
        const auto &x = (*first)[i], &y = (*second)[i];
        if (x.p_type == y.p_type && x.p_flags == y.p_flags && x.p_offset == y.p_offset && x.p_vaddr == y.p_vaddr &&
            x.p_filesz == y.p_filesz && x.p_memsz == y.p_memsz && x.p_align == y.p_align)
            continue;
        return different(fmt::format("program header {}: {:#x}+{:#x} and {:#x}+{:#x}", i, uint64_t{x.p_vaddr},
                                     uint64_t{x.p_memsz}, uint64_t{y.p_vaddr}, uint64_t{y.p_memsz}));
    }
    return {};
}

Result<void> same_symbols(const Executable &one, const Executable &other, const std::set<std::string> &native) {
    for (const auto &[name, a] : one.symbols) {
        auto place = other.symbols.find(name);
        if (place == other.symbols.end() || native.contains(name)) continue;
        const Symbol &b = place->second;
        bool variable = a.kind == llvm::ELF::STT_OBJECT;
        if (a.address == b.address && a.kind == b.kind && (!variable || a.size == b.size)) continue;
        return different(
            fmt::format("{}: {:#x} ({} bytes) and {:#x} ({} bytes)", name, a.address, a.size, b.address, b.size));
    }
    return {};
}

std::map<std::string, std::string> contents(const Executable &file) {
    std::map<std::string, std::string> all;
    for (const ELFSectionRef section : file.elf->sections()) {
        if (!(section.getFlags() & llvm::ELF::SHF_WRITE) || section.getType() == llvm::ELF::SHT_NOBITS) continue;
        auto name = section.getName();
        auto bytes = section.getContents();
        if (name && bytes) all[name->str()] = bytes->str();
    }
    return all;
}

Result<void> same_data(const Executable &one, const Executable &other) {
    auto first = contents(one), second = contents(other);
    for (const auto &[name, bytes] : second) first.try_emplace(name);
    for (const auto &[name, bytes] : first) {
        const std::string &theirs = second[name];
        if (bytes == theirs) continue;
        size_t at = 0;
        while (at < bytes.size() && at < theirs.size() && bytes[at] == theirs[at]) at++;
        return different(fmt::format("{} at offset {:#x}", name, at));
    }
    return {};
}

} // namespace

Result<void> verify_pair(const std::string &x86_path, const std::string &arm_path,
                         const std::set<std::string> &native) {
    HRUNC_ASSIGN(Executable one, open(x86_path));
    HRUNC_ASSIGN(Executable other, open(arm_path));
    HRUNC_TRY(same_headers(one, other));
    HRUNC_TRY(same_symbols(one, other, native));
    return same_data(one, other);
}

} // namespace hrunc::link
