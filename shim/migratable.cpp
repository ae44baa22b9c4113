#include "shim/migratable.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recode/elf.h"
#include "shim/task_memory.h"

namespace hrunc::shim {

Result<Found> find_migratable(const Process &process, arch::Isa target) {
    // What is wrong with its file does not make a process that is none of ours an error.
    Result<Fd> file = open_executable(process);
    if (!file) return Found{nullptr, std::move(file).error().text()};
    Result<recode::Elf> elf = recode::Elf::open(std::move(file).value());
    if (!elf) return Found{nullptr, std::move(elf).error().text()};
    if (elf->isa() != arch::host()) return Found{nullptr, "it is for " + std::string(arch::name(elf->isa()))};
    Result<Found> found = find_portable(process, *elf);
    if (found && !found->migratable && found->flaw.empty()) found = find_popcorn(process, *elf, target);
    if (!found && found.error().code() != ErrorCode::kRefused) return Found{nullptr, std::move(found).error().text()};
    return found;
}

bool share_memory(pid_t one, pid_t other) {
    return syscall(SYS_kcmp, one, other, KCMP_VM, 0UL, 0UL) == 0;
}

} // namespace hrunc::shim
