// The portable ABI's side of the notifier: popcorn/abi.h says what both sides agree on.
#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>

#include "popcorn/abi.h"
#include "recode/portable_note.h"
#include "shim/migratable.h"
#include "shim/task_memory.h"

namespace hrunc::shim {

namespace {

class PortableTask : public Migratable {
  public:
    PortableTask(Process process, std::uint64_t address) : process_(std::move(process)), address_(address) {}

    recode::Abi abi() const override { return recode::Abi::kPortable; }
    bool traced() const override { return false; }

    Result<bool> ask() override {
        HRUNC_ASSIGN(std::optional<popcorn_process> now, read_word<popcorn_process>(process_, address_));
        if (!now) return false;
        // The runtime fills the object in before main; a process that a loader has just made is not there yet.
        if (now->magic != POPCORN_PROCESS_MAGIC || now->version != POPCORN_ABI_VERSION)
            return Error(ErrorCode::kRefused, process_.described() + ": its portable ABI is version " +
                                                  std::to_string(now->version) + "; this hrunc knows " +
                                                  std::to_string(POPCORN_ABI_VERSION));
        return set_notify(POPCORN_PARK);
    }

    Result<bool> nudge() override {
        std::string tasks = "/proc/" + std::to_string(process_.pid) + "/task";
        DIR *entries = opendir(tasks.c_str());
        if (entries == nullptr) return false;
        while (const dirent *entry = readdir(entries)) {
            std::string_view name = entry->d_name;
            pid_t tid = 0;
            if (std::from_chars(name.data(), name.data() + name.size(), tid).ec != std::errc() || tid <= 0) continue;
            // tgkill(2) names the process too: a thread's number that went to another process gets nothing.
            syscall(SYS_tgkill, process_.pid, tid, POPCORN_SIGNAL);
        }
        closedir(entries);
        return true;
    }

    Result<bool> withdraw() override {
        HRUNC_ASSIGN(std::optional<std::uint32_t> notify, word(offsetof(popcorn_process, notify)));
        if (!notify) return false;
        if (*notify != POPCORN_PARK) return true;
        HRUNC_ASSIGN(bool there, set_notify(POPCORN_RUN));
        return there ? nudge() : Result<bool>(false);
    }

    Result<bool> answered(const siginfo_t &) override { return ready(); }

    Result<bool> ready() override {
        HRUNC_ASSIGN(std::optional<std::uint32_t> notify, word(offsetof(popcorn_process, notify)));
        HRUNC_ASSIGN(std::optional<std::uint32_t> state, word(offsetof(popcorn_process, state)));
        return notify == std::uint32_t{POPCORN_PARK} && state == std::uint32_t{POPCORN_PARKED};
    }

    Result<bool> alone() override {
        HRUNC_ASSIGN(std::optional<Process> now, read_process(process_.pid));
        HRUNC_ASSIGN(std::optional<std::uint32_t> parked, word(offsetof(popcorn_process, parked)));
        return !now || parked == now->threads;
    }

  private:
    Result<std::optional<std::uint32_t>> word(std::size_t offset) const {
        return read_word<std::uint32_t>(process_, address_ + offset);
    }
    Result<bool> set_notify(std::uint32_t value) const {
        return write_word(process_, address_ + offsetof(popcorn_process, notify), value);
    }

    Process process_;
    std::uint64_t address_;
};

} // namespace

Result<Found> find_portable(const Process &process, const recode::Elf &elf) {
    HRUNC_ASSIGN(std::optional<std::uint64_t> linked, recode::portable_process(elf));
    if (!linked) return Found{};
    HRUNC_ASSIGN(std::uint64_t bias, load_bias(process, elf));
    HRUNC_ASSIGN(bool sound, is_private_data(process, *linked + bias, sizeof(popcorn_process)));
    if (!sound) return Found{nullptr, "its data is not where its executable says"};
    return Found{std::make_unique<PortableTask>(process, *linked + bias), ""};
}

} // namespace hrunc::shim
