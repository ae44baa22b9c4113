#include "shim/task_memory.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

namespace hrunc::shim {

namespace {

constexpr std::size_t kMaxAuxv = 4096;
constexpr std::size_t kMaxMaps = std::size_t{32} << 20;

template <typename Call>
Result<bool> transfer(Call call, const char *act, const Process &process, std::uint64_t at, void *local,
                      std::size_t size) {
    iovec here{local, size};
    iovec there{reinterpret_cast<void *>(at), size}; // NOLINT(performance-no-int-to-ptr): an address over there
    ssize_t done = call(process.pid, &here, 1UL, &there, 1UL, 0UL);
    if (done == static_cast<ssize_t>(size)) return true;
    if (done < 0 && errno == ESRCH) return false;
    return Error::system(std::string(act) + " its memory", done < 0 ? errno : EFAULT).in(process.described());
}

} // namespace

Result<bool> read_memory(const Process &process, std::uint64_t address, void *out, std::size_t size) {
    return transfer(process_vm_readv, "read", process, address, out, size);
}

Result<bool> write_memory(const Process &process, std::uint64_t address, const void *bytes, std::size_t size) {
    return transfer(process_vm_writev, "write", process, address, const_cast<void *>(bytes), size);
}

// Opening the file and reading it must not wait for the container: a file system in user space may be the
// container's own, and its server frozen.
Result<Fd> open_executable(const Process &process) {
    std::string link = "/proc/" + std::to_string(process.pid) + "/exe"; // not a name that can be forged
    HRUNC_ASSIGN(Fd place, open_file(link, O_PATH));
    struct statfs system{};
    if (fstatfs(place.get(), &system) != 0) return Error::system("statfs of its executable");
    constexpr long kFuse = 0x65735546; // FUSE_SUPER_MAGIC, <linux/magic.h> has it since Linux 5.14
    if (system.f_type == kFuse) return Error(ErrorCode::kRefused, "its executable lies on a file system in user space");
    return open_file("/proc/self/fd/" + std::to_string(place.get()), O_RDONLY | O_NOCTTY | O_NONBLOCK);
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

} // namespace hrunc::shim
