// The popcorn ABI's side of the notifier: popcorn/popcorn_abi.h says what both sides agree on.
#include <elf.h>

#include <array>
#include <utility>

#include "popcorn/popcorn_abi.h"
#include "recode/elf.h"
#include "shim/migratable.h"
#include "shim/task_memory.h"

namespace hrunc::shim {

namespace {

constexpr std::array<std::string_view, 3> kSymbols{POPCORN_SYMBOL_VARIABLE, POPCORN_SYMBOL_REGS, POPCORN_SYMBOL_TLS};

constexpr std::int64_t value_of(arch::Isa isa) {
    return isa == arch::Isa::kX8664 ? POPCORN_X86_64 : POPCORN_AARCH64;
}

constexpr std::uint64_t magic_of(arch::Isa isa) {
    return isa == arch::Isa::kX8664 ? POPCORN_MAGIC_X86_64 : POPCORN_MAGIC_AARCH64;
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
    template <typename Word> Result<std::optional<Word>> read(std::uint64_t at) const {
        return read_word<Word>(process_, at);
    }
    Result<bool> write(std::int64_t value) const { return write_word(process_, variable_, value); }
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

} // namespace

Result<Found> find_popcorn(const Process &process, const recode::Elf &elf, arch::Isa target) {
    HRUNC_ASSIGN(std::optional<Addresses> linked, find_addresses(elf));
    if (!linked) return Found{};
    HRUNC_ASSIGN(std::uint64_t bias, load_bias(process, elf));
    for (std::uint64_t address : {linked->variable + bias, linked->registers + bias}) {
        HRUNC_ASSIGN(bool sound, is_private_data(process, address, 8));
        if (!sound) return Found{nullptr, "its data is not where its executable says"};
    }
    if (process.threads > 1)
        return Error(ErrorCode::kRefused, process.described() + " has " + std::to_string(process.threads) +
                                              " threads; the popcorn ABI moves one");
    return Found{std::make_unique<PopcornTask>(process, target, linked->variable + bias, linked->registers + bias), ""};
}

} // namespace hrunc::shim
