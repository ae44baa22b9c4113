#include "popcorn/link/object.h"

#include <fstream>
#include <map>

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Object/Archive.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>

namespace hrunc::link {
namespace {

using namespace llvm::object;
using Elf = ELF64LEObjectFile;

Error invalid(const std::string &what, llvm::Error error) {
    return Error(ErrorCode::kInvalid, what + ": " + llvm::toString(std::move(error)));
}

Result<void> read_symbols(const Elf &file, Object &object) {
    for (const ELFSymbolRef symbol : file.symbols()) {
        auto flags = symbol.getFlags();
        auto name = symbol.getName();
        if (!flags) return invalid(object.path, flags.takeError());
        if (!name) return invalid(object.path, name.takeError());
        if (!(*flags & SymbolRef::SF_Global) || name->empty()) continue;
        if (!(*flags & SymbolRef::SF_Undefined))
            object.defined.insert(name->str());
        else if (!(*flags & SymbolRef::SF_Weak))
            object.undefined.insert(name->str());
    }
    return {};
}

Result<Object> read(llvm::MemoryBufferRef buffer, const std::string &path) {
    auto file = ObjectFile::createELFObjectFile(buffer);
    if (!file) return invalid(path, file.takeError());
    const auto *elf = llvm::dyn_cast<Elf>(file->get());
    if (!elf) return Error(ErrorCode::kInvalid, path + ": not a 64-bit little-endian object");
    Object object;
    object.path = path;
    for (const ELFSectionRef section : elf->sections()) {
        uint64_t flags = section.getFlags();
        auto name = section.getName();
        if (!name) return invalid(path, name.takeError());
        if (!(flags & llvm::ELF::SHF_ALLOC)) continue;
        object.sections.push_back({name->str(), section.getSize(),
                                   std::max<uint64_t>(section.getAlignment().value(), 1),
                                   (flags & llvm::ELF::SHF_WRITE) != 0, (flags & llvm::ELF::SHF_EXECINSTR) != 0,
                                   section.getType() == llvm::ELF::SHT_NOBITS, (flags & llvm::ELF::SHF_MERGE) != 0});
    }
    HRUNC_TRY(read_symbols(*elf, object));
    return object;
}

struct Native {
    std::vector<std::unique_ptr<llvm::MemoryBuffer>> buffers;
    std::vector<std::unique_ptr<Archive>> archives;
    std::map<std::string, llvm::MemoryBufferRef> members; // by symbol
};

Result<Native> index(const std::vector<std::string> &paths) {
    Native native;
    for (const std::string &path : paths) {
        auto buffer = llvm::MemoryBuffer::getFile(path);
        if (!buffer) return Error::system("\"" + path + "\"", buffer.getError().value());
        auto archive = Archive::create((*buffer)->getMemBufferRef());
        if (!archive) return invalid(path, archive.takeError());
        for (const Archive::Symbol &symbol : (*archive)->symbols()) {
            auto member = symbol.getMember();
            if (!member) return invalid(path, member.takeError());
            auto reference = member->getMemoryBufferRef();
            if (!reference) return invalid(path, reference.takeError());
            native.members.try_emplace(symbol.getName().str(), *reference);
        }
        native.buffers.push_back(std::move(*buffer));
        native.archives.push_back(std::move(*archive));
    }
    return native;
}

} // namespace

Result<Object> read_object(const std::string &path) {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    if (!buffer) return Error::system("\"" + path + "\"", buffer.getError().value());
    return read((*buffer)->getMemBufferRef(), path);
}

Result<std::vector<std::string>> take_native(const std::vector<std::string> &archives, const std::string &directory,
                                             const std::set<std::string> &defined, std::set<std::string> &undefined) {
    HRUNC_ASSIGN(Native native, index(archives));
    std::vector<std::string> taken;
    std::set<std::string> have = defined, missing;
    while (!undefined.empty()) {
        std::string name = *undefined.begin();
        undefined.erase(undefined.begin());
        if (have.contains(name)) continue;
        auto place = native.members.find(name);
        if (place == native.members.end()) {
            missing.insert(name);
            continue;
        }
        std::string path = directory + "/native-" + std::to_string(taken.size()) + ".o";
        HRUNC_ASSIGN(Object object, read(place->second, path));
        have.insert(object.defined.begin(), object.defined.end());
        undefined.insert(object.undefined.begin(), object.undefined.end());
        std::ofstream(path, std::ios::binary) << place->second.getBuffer().str();
        taken.push_back(path);
    }
    undefined = missing;
    return taken;
}

} // namespace hrunc::link
