#include "tests/bench/recode/checkpoints.h"

#include <algorithm>

#include "recode/elf.h"
#include "tests/unit/recode/checkpoint.h"

namespace hrunc::bench {

namespace {

using namespace recode;
using namespace recode::testing_support;
namespace fs = std::filesystem;

constexpr std::uint64_t kHeap = 0x100000000; // above the program, below the stack

std::uint64_t down(std::uint64_t address) {
    return address / kPage * kPage;
}
std::uint64_t up(std::uint64_t address) {
    return down(address + kPage - 1);
}

// The hand-made checkpoint's program replaced by a real one: its segments, symbols, entry and build id.
Result<void> use_program(Checkpoint &checkpoint, const fs::path &root, const std::string &name) {
    fs::path path = root / "app" / (name + "_" + std::string(arch::name(checkpoint.isa)));
    HRUNC_ASSIGN(Fd file, open_file(path, O_RDONLY));
    HRUNC_ASSIGN(Elf elf, Elf::open(std::move(file)));
    constexpr std::string_view kNames[] = {POPCORN_SYMBOL_REGS, POPCORN_SYMBOL_TLS};
    HRUNC_ASSIGN(auto symbols, elf.symbols(kNames));
    HRUNC_ASSIGN(auto build_id, elf.build_id());
    if (symbols.size() != 2 || !build_id) return Error(ErrorCode::kInvalid, path.string() + ": no popcorn program");

    auto kept = std::vector<images::Vma>(checkpoint.mm.vmas().begin() + 3, checkpoint.mm.vmas().end());
    std::vector<std::uint64_t> kept_runs(checkpoint.runs.begin() + 4, checkpoint.runs.end());
    std::string kept_pages = checkpoint.pages.substr(4 * kPage);
    checkpoint.mm.clear_vmas();
    checkpoint.runs.clear();
    checkpoint.pages.clear();

    popcorn_regs regs = Checkpoint::parked_registers(arch::other(checkpoint.isa));
    (arch::other(checkpoint.isa) == arch::Isa::kX8664 ? regs.x86_64.rip : regs.aarch64.pc) = elf.entry();
    std::uint64_t tls = symbols[POPCORN_SYMBOL_TLS].address;
    for (const ElfSegment &segment : elf.segments()) {
        if (segment.type != PT_LOAD) continue;
        int protection =
            static_cast<int>((segment.flags & PF_R ? PROT_READ : 0U) | (segment.flags & PF_W ? PROT_WRITE : 0U) |
                             (segment.flags & PF_X ? PROT_EXEC : 0U));
        std::uint64_t start = down(segment.address), file_end = up(segment.address + segment.file_size);
        std::uint64_t end = up(segment.address + segment.memory_size);
        if (file_end > start && segment.file_size != 0)
            checkpoint.add_vma(start, (file_end - start) / kPage, protection, 0, 1).set_offset(down(segment.offset));
        else
            file_end = start;
        if (end > file_end) checkpoint.add_vma(file_end, (end - file_end) / kPage, protection, 0);
        if ((segment.flags & PF_W) == 0) continue;
        std::string bytes(end - start, '\0');
        auto put = [&](std::uint64_t address, const void *what, std::size_t size) {
            if (address >= start && address + size <= end) std::memcpy(bytes.data() + (address - start), what, size);
        };
        put(symbols[POPCORN_SYMBOL_REGS].address, &regs, sizeof regs);
        put(symbols[POPCORN_SYMBOL_TLS].address, &tls, sizeof tls);
        for (std::uint64_t at = start; at < end; at += kPage) checkpoint.add_page(at, bytes.substr(at - start, kPage));
    }
    for (const images::Vma &vma : kept) *checkpoint.mm.add_vmas() = vma;
    checkpoint.runs.insert(checkpoint.runs.end(), kept_runs.begin(), kept_runs.end());
    checkpoint.pages += kept_pages;

    images::RegularFile &regular = *checkpoint.files.front().mutable_regular();
    regular.set_name("/app/" + name);
    regular.set_size(elf.file_size());
    regular.clear_build_id();
    build_id->resize((build_id->size() + 3) / 4 * 4);
    for (std::size_t at = 0; at < build_id->size(); at += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, build_id->data() + at, 4);
        regular.add_build_id(word);
    }
    return {};
}

} // namespace

Result<void> make_checkpoint(const fs::path &directory, const fs::path &root, const std::string &name, arch::Isa from,
                             const Memory &memory) {
    Checkpoint checkpoint(from);
    HRUNC_TRY(use_program(checkpoint, root, name));
    std::uint64_t stride = memory.run_bytes + kPage;
    std::uint64_t runs = (memory.bytes + memory.run_bytes - 1) / memory.run_bytes;
    if (kHeap + runs * stride > kStack) return Error(ErrorCode::kInvalid, "so large a heap does not fit");
    checkpoint.add_vma(kHeap, runs * stride / kPage, PROT_READ | PROT_WRITE, 0);
    std::sort(checkpoint.mm.mutable_vmas()->pointer_begin(), checkpoint.mm.mutable_vmas()->pointer_end(),
              [](const images::Vma *a, const images::Vma *b) { return a->start() < b->start(); });
    fs::create_directories(directory);
    checkpoint.write(directory);

    // What was written knows nothing of the heap: its pagemap and pages again, with it in its place.
    std::string pagemap_name = image_name(ImageKind::kPagemap, kPid), pages_name = image_name(ImageKind::kPages, 1);
    fs::remove(directory / pagemap_name);
    HRUNC_ASSIGN(Image pagemap, Image::make(pagemap_name));
    pagemap.add<images::PagemapHead>().set_pages(1);
    std::fstream pages(directory / pages_name, std::ios::binary | std::ios::in | std::ios::out | std::ios::trunc);
    bool heap_done = false;
    for (std::size_t i = 0; i < checkpoint.runs.size(); ++i) {
        if (!heap_done && checkpoint.runs[i] > kHeap) {
            heap_done = true;
            for (std::uint64_t run = 0; run < runs; ++run) {
                std::uint64_t size = std::min(memory.run_bytes, memory.bytes - run * memory.run_bytes);
                set_run(pagemap.add<images::PageRun>(), kHeap + run * stride, static_cast<std::uint32_t>(size / kPage),
                        PageRange::Place::kPages);
            }
            pages.seekp(static_cast<std::streamoff>(memory.bytes), std::ios::cur);
        }
        set_run(pagemap.add<images::PageRun>(), checkpoint.runs[i], 1, PageRange::Place::kPages);
        pages.write(checkpoint.pages.data() + i * kPage, kPage);
    }
    pages.close();
    if (!pages) return Error(ErrorCode::kInvalid, "write \"" + (directory / pages_name).string() + "\" failed");
    HRUNC_ASSIGN(Fd fd, open_file(directory, O_RDONLY | O_DIRECTORY));
    HRUNC_TRY(pagemap.write(fd));
    return {};
}

} // namespace hrunc::bench
