#include "recode/transform/executables.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "popcorn/abi.h"
#include "popcorn/popcorn_abi.h"
#include "recode/portable_note.h"

namespace hrunc::recode {

namespace {

Error refused(std::string text) {
    return Error(ErrorCode::kRefused, std::move(text));
}

std::string suffix_of(arch::Isa isa) {
    return "_" + std::string(arch::name(isa));
}

std::string base_name(std::string name) {
    for (arch::Isa isa : arch::kIsas) {
        std::string suffix = suffix_of(isa);
        if (name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
            return name.substr(0, name.size() - suffix.size());
    }
    return name;
}

std::string hexadecimal(std::string_view bytes) {
    std::string text;
    for (char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text.empty() ? "none" : text;
}

// CRIU keeps the note's bytes as words of the (little-endian) host; a length that is no multiple of four is padded.
std::string recorded_build_id(const images::RegularFile &file) {
    std::string bytes;
    for (std::uint32_t word : file.build_id())
        for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(word >> shift & 0xff);
    return bytes;
}

bool same_build_id(std::string have, const std::string &recorded) {
    have.resize((have.size() + 3) / 4 * 4);
    return have == recorded;
}

bool same_segments(const Elf &a, const Elf &b) {
    auto loads = [](const Elf &elf) {
        std::vector<ElfSegment> out;
        for (const ElfSegment &segment : elf.segments())
            if (segment.type == PT_LOAD) out.push_back(segment);
        return out;
    };
    std::vector<ElfSegment> first = loads(a), second = loads(b);
    return std::equal(first.begin(), first.end(), second.begin(), second.end(),
                      [](const ElfSegment &x, const ElfSegment &y) {
                          return x.flags == y.flags && x.offset == y.offset && x.file_size == y.file_size &&
                                 x.address == y.address && x.memory_size == y.memory_size && x.alignment == y.alignment;
                      });
}

Result<std::optional<AbiSymbols>> abi_symbols(const Elf &elf) {
    AbiSymbols symbols;
    HRUNC_ASSIGN(std::optional<std::uint64_t> process, portable_process(elf));
    if (process) {
        symbols.abi = Abi::kPortable;
        symbols.process = *process;
        return std::optional(symbols);
    }
    constexpr std::array<std::string_view, 4> kNames = {POPCORN_SYMBOL_VARIABLE, POPCORN_SYMBOL_REGS,
                                                        POPCORN_SYMBOL_TLS, POPCORN_SYMBOL_SIGRETURN};
    HRUNC_ASSIGN(auto found, elf.symbols(kNames));
    if (found.count(POPCORN_SYMBOL_VARIABLE) == 0 || found.count(POPCORN_SYMBOL_REGS) == 0 ||
        found.count(POPCORN_SYMBOL_TLS) == 0)
        return std::optional<AbiSymbols>{};
    symbols.abi = Abi::kPopcorn;
    symbols.regs_dst = found[POPCORN_SYMBOL_REGS].address;
    symbols.tls_dst = found[POPCORN_SYMBOL_TLS].address;
    if (auto sigreturn = found.find(POPCORN_SYMBOL_SIGRETURN); sigreturn != found.end())
        symbols.sigreturn = sigreturn->second.address;
    return std::optional(symbols);
}

} // namespace

struct Executables::Program {
    std::string path;
    Elf elf;
    struct stat status{};
};

Result<Executables> Executables::open(const std::string &root, const std::map<std::string, std::string> &mounts) {
    Executables executables;
    HRUNC_ASSIGN_IN(executables.root_, open_file(root, O_PATH | O_DIRECTORY), "the container's root");
    executables.mounts_ = mounts;
    return executables;
}

Result<Fd> Executables::open_path(const std::string &path) const {
    // O_NONBLOCK: the file may be a fifo, and is looked at only when open.
    constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    const std::string *best_here = nullptr;
    std::size_t best = 0;
    for (const auto &[inside, here] : mounts_) {
        bool below = path.compare(0, inside.size(), inside) == 0 &&
                     (path.size() == inside.size() || inside.back() == '/' || path[inside.size()] == '/');
        if (!below || inside.size() < best) continue;
        best = inside.size();
        best_here = &here;
    }
    if (best_here == nullptr) return open_in_root(root_, path, kFlags);
    std::string rest = path.substr(best);
    if (rest.find_first_not_of('/') == std::string::npos) return open_file(*best_here, kFlags);
    HRUNC_ASSIGN(Fd mount, open_file(*best_here, O_PATH | O_DIRECTORY));
    return open_in_root(mount, rest, kFlags);
}

// Nothing where there is no such file, or it is no program of either ISA.
Result<std::optional<Executables::Program>> Executables::open_program(const std::string &path) const {
    Result<Fd> file = open_path(path);
    if (!file) return std::optional<Program>{};
    struct stat status{};
    if (fstat(file->get(), &status) != 0) return Error::system("look at \"" + path + "\"");
    if (!S_ISREG(status.st_mode)) return std::optional<Program>{};
    Result<Elf> elf = Elf::open(std::move(file).value());
    if (!elf) return std::optional<Program>{};
    return std::optional<Program>(Program{path, std::move(elf).value(), status});
}

Result<TargetProgram> Executables::find(const images::RegularFile &file, bool main_program, arch::Isa from,
                                        arch::Isa to) const {
    std::string base = base_name(file.name());
    HRUNC_ASSIGN(std::optional<Program> named, open_program(file.name()));
    HRUNC_ASSIGN(std::optional<Program> target, open_program(base + suffix_of(to)));
    HRUNC_ASSIGN(std::optional<Program> source, open_program(base + suffix_of(from)));
    if (main_program) {
        const std::optional<Program> &any = named ? named : target ? target : source;
        std::optional<AbiSymbols> symbols;
        if (any) {
            HRUNC_ASSIGN_IN(symbols, abi_symbols(any->elf), "\"" + any->path + "\"");
        }
        if (!symbols) return refused("has no migratable binary");
    }
    if (named && named->elf.isa() == to)
        target = std::move(named);
    else if (named && named->elf.isa() == from && !source)
        source = std::move(named);
    for (auto [program, isa] : {std::pair{&target, to}, std::pair{&source, from}})
        if (!*program || (*program)->elf.isa() != isa)
            return refused(
                fmt::format("missing sibling executable \"{}\" for {}", base + suffix_of(isa), arch::name(isa)));

    HRUNC_ASSIGN_IN(std::optional<std::string> source_id, source->elf.build_id(), "\"" + source->path + "\"");
    HRUNC_ASSIGN_IN(std::optional<std::string> target_id, target->elf.build_id(), "\"" + target->path + "\"");
    std::string recorded = recorded_build_id(file);
    if (!same_build_id(source_id.value_or(""), recorded))
        return refused(fmt::format("build id differs: \"{}\" has {}, the checkpoint records {}", source->path,
                                   hexadecimal(source_id.value_or("")), hexadecimal(recorded)));
    if (recorded.empty() && file.has_size() && file.size() != source->elf.file_size())
        return refused(fmt::format("size differs: \"{}\" has {} bytes, the checkpoint records {}", source->path,
                                   source->elf.file_size(), file.size()));
    if (!same_segments(source->elf, target->elf))
        return refused(fmt::format("program headers of \"{}\" and \"{}\" differ", source->path, target->path));

    TargetProgram program;
    program.name = target->path;
    program.size = static_cast<std::uint64_t>(target->status.st_size);
    program.mode = target->status.st_mode;
    program.build_id = target_id;
    if (!main_program) return program;
    HRUNC_ASSIGN_IN(program.abi, abi_symbols(source->elf), "\"" + source->path + "\"");
    HRUNC_ASSIGN_IN(std::optional<AbiSymbols> target_symbols, abi_symbols(target->elf), "\"" + target->path + "\"");
    if (!program.abi || program.abi != target_symbols)
        return refused(fmt::format("\"{}\" and \"{}\" have {} at different addresses", source->path, target->path,
                                   program.abi && program.abi->abi == Abi::kPortable ? "struct popcorn_process"
                                                                                     : POPCORN_SYMBOL_REGS));
    return program;
}

} // namespace hrunc::recode
