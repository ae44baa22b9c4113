// The popcorn ABI's side of the notifier: popcorn/popcorn_abi.h says what both sides agree on.
#include <elf.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "popcorn/popcorn_abi.h"
#include "recode/elf.h"
#include "shim/migratable.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxAuxv = 4096;
constexpr std::size_t kMaxMaps = std::size_t{32} << 20;
constexpr std::array<std::string_view, 3> kSymbols{POPCORN_SYMBOL_VARIABLE, POPCORN_SYMBOL_REGS, POPCORN_SYMBOL_TLS};

constexpr std::int64_t value_of(arch::Isa isa) {
    return isa == arch::Isa::kX8664 ? POPCORN_X86_64 : POPCORN_AARCH64;
}

constexpr std::uint64_t magic_of(arch::Isa isa) {
    return isa == arch::Isa::kX8664 ? POPCORN_MAGIC_X86_64 : POPCORN_MAGIC_AARCH64;
}

// process_vm_readv(2) and its sibling obey the protection of the pages, so a remapped variable cannot lead the write
// into what the program itself could not write.
template <typename Call> Result<bool> transfer(Call call, const char *act, pid_t pid, std::uint64_t at, void *local) {
    constexpr std::size_t kSize = 8;
    iovec here{local, kSize};
    iovec there{reinterpret_cast<void *>(at), kSize}; // NOLINT(performance-no-int-to-ptr): an address over there
    ssize_t done = call(pid, &here, 1UL, &there, 1UL, 0UL);
    if (done == static_cast<ssize_t>(kSize)) return true;
    if (done < 0 && errno == ESRCH) return false;
    return Error::system(std::string(act) + " its memory", done < 0 ? errno : EFAULT);
}

class PopcornTask : public Migratable {
  public:
    PopcornTask(Process process, arch::Isa target, std::uint64_t variable, std::uint64_t registers)
        : process_(std::move(process)), target_(target), variable_(variable), registers_(registers) {}

    recode::Abi abi() const override { return recode::Abi::kPopcorn; }

    Result<bool> ask() override {
        auto value = read<std::int64_t>(variable_);
        if (!value || !*value) return known(std::move(value));
        // Another value than the three is not the ABI's variable. A target: somebody asked and died.
        if (**value != POPCORN_NONE && **value != POPCORN_AARCH64 && **value != POPCORN_X86_64)
            return Error(ErrorCode::kRefused, process_.described() + ": " POPCORN_SYMBOL_VARIABLE " holds " +
                                                  std::to_string(**value) + ", which is no value of the popcorn ABI");
        return write(value_of(target_));
    }

    Result<bool> withdraw() override {
        auto value = read<std::int64_t>(variable_);
        if (!value || !*value) return known(std::move(value));
        if (**value != value_of(target_)) return true;
        return write(POPCORN_NONE);
    }

    Result<bool> answered(const siginfo_t &signal) override {
        // An alarm of the program's own timer has another si_code. The pid is as the receiver sees it.
        if (signal.si_signo != SIGALRM || (signal.si_code != SI_TKILL && signal.si_code != SI_USER)) return false;
        if (signal.si_pid != process_.pid_inside) return false;
        return ready();
    }

    Result<bool> ready() override {
        auto value = read<std::int64_t>(variable_);
        if (!value || !*value) return known(std::move(value));
        if (**value != POPCORN_NONE) return false;
        auto magic = read<std::uint64_t>(registers_);
        if (!magic || !*magic) return known(std::move(magic));
        return **magic == magic_of(target_);
    }

  private:
    // Nothing: the process is gone.
    template <typename Word> Result<std::optional<Word>> read(std::uint64_t at) {
        Word word{};
        auto done = transfer(process_vm_readv, "read", process_.pid, at, &word);
        if (!done) return std::move(done).error().in(process_.described());
        return *done ? std::optional<Word>(word) : std::nullopt;
    }
    Result<bool> write(std::int64_t value) {
        auto done = transfer(process_vm_writev, "write", process_.pid, variable_, &value);
        if (!done) return std::move(done).error().in(process_.described());
        return done;
    }
    template <typename Word> static Result<bool> known(Result<std::optional<Word>> value) {
        if (!value) return std::move(value).error();
        return false;
    }

    Process process_;
    arch::Isa target_;
    std::uint64_t variable_, registers_;
};

struct Addresses {
    std::uint64_t variable = 0, registers = 0; // as linked
};

// Opening the file and reading it must not wait for the container: a file system in user space may be the
// container's own, and its server frozen.
Result<Fd> open_executable(const Process &process) {
    std::string link = "/proc/" + std::to_string(process.pid) + "/exe"; // not a name that can be forged
    HRUNC_ASSIGN(Fd place, open_file(link, O_PATH));
    struct statfs system {};
    if (fstatfs(place.get(), &system) != 0) return Error::system("statfs of its executable");
    constexpr long kFuse = 0x65735546; // FUSE_SUPER_MAGIC, <linux/magic.h> has it since Linux 5.14
    if (system.f_type == kFuse) return Error(ErrorCode::kRefused, "its executable lies on a file system in user space");
    return open_file("/proc/self/fd/" + std::to_string(place.get()), O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

Result<std::optional<Addresses>> find_addresses(const recode::Elf &elf) {
    HRUNC_ASSIGN(auto symbols, elf.symbols(kSymbols));
    if (symbols.empty()) return std::optional<Addresses>();
    constexpr std::array<std::uint64_t, 3> kSizes{8, sizeof(popcorn_regs), 8};
    for (std::size_t i = 0; i < kSymbols.size(); ++i) {
        auto symbol = symbols.find(std::string(kSymbols[i]));
        if (symbol == symbols.end())
            return Error(ErrorCode::kInvalid, "symbol \"" + std::string(kSymbols[i]) + "\" is missing");
        if (symbol->second.size < kSizes[i])
            return Error(ErrorCode::kInvalid, "symbol \"" + std::string(kSymbols[i]) + "\" has " +
                                                  std::to_string(symbol->second.size) + " bytes, not " +
                                                  std::to_string(kSizes[i]));
        const recode::ElfSegment *segment = elf.load_segment(symbol->second.address, kSizes[i]);
        if (segment == nullptr || (segment->flags & PF_W) == 0)
            return Error(ErrorCode::kInvalid, "symbol \"" + std::string(kSymbols[i]) + "\" is not writable data");
    }
    return std::optional<Addresses>({symbols[POPCORN_SYMBOL_VARIABLE].address, symbols[POPCORN_SYMBOL_REGS].address});
}

// Where a position-independent executable was loaded: what the kernel told the program, less what the file says.
Result<std::uint64_t> load_bias(const Process &process, const recode::Elf &elf) {
    if (!elf.position_independent()) return std::uint64_t{0};
    HRUNC_ASSIGN(std::string bytes, read_file("/proc/" + std::to_string(process.pid) + "/auxv", kMaxAuxv));
    for (std::size_t at = 0; at + sizeof(Elf64_auxv_t) <= bytes.size(); at += sizeof(Elf64_auxv_t)) {
        Elf64_auxv_t entry;
        std::memcpy(&entry, bytes.data() + at, sizeof entry);
        if (entry.a_type == AT_ENTRY) return std::uint64_t{entry.a_un.a_val - elf.entry()};
    }
    return Error(ErrorCode::kInvalid, "its auxiliary vector has no entry point");
}

// proc(5), /proc/PID/maps: "START-END rw-p ...". Private, so that nothing but the process's own memory changes.
Result<bool> is_private_data(const Process &process, std::uint64_t address, std::uint64_t size) {
    HRUNC_ASSIGN(std::string maps, read_file("/proc/" + std::to_string(process.pid) + "/maps", kMaxMaps));
    for (std::string_view rest = maps; !rest.empty();) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        std::uint64_t start = 0, end = 0;
        const char *last = line.data() + line.size();
        auto dash = std::from_chars(line.data(), last, start, 16);
        if (dash.ec != std::errc() || dash.ptr == last || *dash.ptr != '-') continue;
        auto space = std::from_chars(dash.ptr + 1, last, end, 16);
        if (space.ec != std::errc() || last - space.ptr < 5 || address < start || address >= end) continue;
        std::string_view access(space.ptr + 1, 4);
        return size <= end - address && access[0] == 'r' && access[1] == 'w' && access[3] == 'p';
    }
    return false;
}

Result<Found> find_popcorn(const Process &process, arch::Isa target) {
    HRUNC_ASSIGN(Fd file, open_executable(process));
    HRUNC_ASSIGN(recode::Elf elf, recode::Elf::open(std::move(file)));
    if (elf.isa() != arch::host()) return Found{nullptr, "it is for " + std::string(arch::name(elf.isa()))};
    HRUNC_ASSIGN(std::optional<Addresses> linked, find_addresses(elf));
    if (!linked) return Found{};
    HRUNC_ASSIGN(std::uint64_t bias, load_bias(process, elf));
    for (auto [address, size] : {std::pair<std::uint64_t, std::uint64_t>{linked->variable + bias, 8},
                                 std::pair<std::uint64_t, std::uint64_t>{linked->registers + bias, 8}}) {
        HRUNC_ASSIGN(bool sound, is_private_data(process, address, size));
        if (!sound) return Found{nullptr, "its data is not where its executable says"};
    }
    return Found{std::make_unique<PopcornTask>(process, target, linked->variable + bias, linked->registers + bias), ""};
}

} // namespace

Result<Found> find_migratable(const Process &process, arch::Isa target) {
    // A portable executable will say so by an ELF note; its implementation is to be tried first.
    Result<Found> found = find_popcorn(process, target);
    // What is wrong with its file does not make a process that is none of ours an error.
    if (!found) return Found{nullptr, std::move(found).error().text()};
    if (found->migratable && process.threads > 1)
        return Error(ErrorCode::kRefused, process.described() + " has " + std::to_string(process.threads) +
                                              " threads; the popcorn ABI moves one");
    return found;
}

bool share_memory(pid_t one, pid_t other) {
    return syscall(SYS_kcmp, one, other, KCMP_VM, 0UL, 0UL) == 0;
}

} // namespace hrunc::shim
