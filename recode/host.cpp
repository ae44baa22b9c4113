#include "recode/host.h"

#include <dirent.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/fd.h"

namespace hrunc::recode {

namespace {

constexpr std::size_t kMaxMapsText = std::size_t{16} << 20; // bytes of /proc/self/maps
constexpr std::size_t kMaxCpuDirectories = 512;
constexpr unsigned long kAtMinSigStkSz = 51; // <linux/auxvec.h>: AT_MINSIGSTKSZ

struct NamedArea {
    std::string_view name;
    KernelArea::Kind kind;
};
constexpr NamedArea kAreaNames[] = {
    {"[vvar]", KernelArea::Kind::kVvar},
    {"[vvar_vclock]", KernelArea::Kind::kVvarVclock},
    {"[vdso]", KernelArea::Kind::kVdso},
};

struct MapsLine {
    std::uint64_t start = 0, end = 0;
    std::string_view name;
};

bool parse_maps_line(std::string_view line, MapsLine &out) {
    const char *end = line.data() + line.size();
    auto first = std::from_chars(line.data(), end, out.start, 16);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return false;
    auto second = std::from_chars(first.ptr + 1, end, out.end, 16);
    if (second.ec != std::errc() || out.end <= out.start) return false;
    std::size_t space = line.rfind(' ');
    out.name = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    return true;
}

Result<void> read_kernel_areas(Host &host) {
    HRUNC_ASSIGN(std::string maps, read_file("/proc/self/maps", kMaxMapsText));
    std::string_view rest = maps;
    std::uint64_t previous_end = 0;
    while (!rest.empty()) {
        std::size_t newline = rest.find('\n');
        MapsLine line;
        bool parsed = parse_maps_line(rest.substr(0, newline), line);
        rest = newline == std::string_view::npos ? std::string_view{} : rest.substr(newline + 1);
        if (!parsed) continue;
        for (const NamedArea &named : kAreaNames) {
            if (line.name != named.name) continue;
            if (previous_end != 0 && previous_end != line.start)
                return Error(ErrorCode::kRefused, "\"/proc/self/maps\": vvar and vdso do not adjoin");
            previous_end = line.end;
            host.kernel_areas.push_back({named.kind, line.end - line.start});
            if (named.kind == KernelArea::Kind::kVdso) {
                auto *bytes = reinterpret_cast<const char *>(line.start); // NOLINT(performance-no-int-to-ptr)
                host.vdso.assign(bytes, line.end - line.start);
            }
        }
    }
    if (host.vdso.empty()) return Error(ErrorCode::kRefused, "the kernel maps no vdso (booted with vdso=0?)");
    return {};
}

// By asking the kernel for the page below each candidate. Larger address spaces (5 levels on x86-64, 52 bits on
// aarch64) open only to programs that ask for them, and do not count.
std::uint64_t probe_address_limit(std::uint64_t page_size) {
    constexpr int kCandidates[] = {48, 47, 42, 39};
    for (int bits : kCandidates) {
        std::uint64_t limit = std::uint64_t{1} << bits;
        if (limit > arch::facts(arch::host()).address_limit) continue;
        auto *hint = reinterpret_cast<void *>(limit - 2 * page_size); // NOLINT(performance-no-int-to-ptr)
        void *page = mmap(hint, page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (page == MAP_FAILED && errno != EEXIST) continue;
        if (page != MAP_FAILED) munmap(page, page_size);
        if (page == MAP_FAILED || page == hint) return limit;
    }
    return std::uint64_t{1} << kCandidates[3];
}

std::vector<std::string> directory_names(const std::string &path) {
    struct Closer {
        void operator()(DIR *directory) const { closedir(directory); }
    };
    std::vector<std::string> names;
    std::unique_ptr<DIR, Closer> directory(opendir(path.c_str()));
    if (!directory) return names;
    while (dirent *entry = readdir(directory.get())) { // NOLINT(concurrency-mt-unsafe)
        std::string_view name = entry->d_name;
        bool process = path == "/proc" && name.find_first_not_of("0123456789") == std::string_view::npos;
        if (name != "." && name != ".." && !process && names.size() < kMaxKernelNames) names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

// What Docker, containerd and Podman mask or make read-only lies in these.
void read_kernel_directories(Host &host) {
    constexpr const char *kDirectories[] = {
        "/proc", "/sys", "/sys/fs", "/sys/dev", "/sys/devices", "/sys/devices/virtual", "/sys/devices/system/cpu"};
    for (const char *directory : kDirectories) {
        std::vector<std::string> names = directory_names(directory);
        if (!names.empty()) host.kernel_directories[directory] = std::move(names);
    }
    std::size_t processors = 0;
    for (const std::string &name : host.kernel_directories["/sys/devices/system/cpu"]) {
        if (name.size() < 4 || name.substr(0, 3) != "cpu" ||
            name.find_first_not_of("0123456789", 3) != std::string::npos)
            continue;
        if (++processors > kMaxCpuDirectories) break;
        std::string path = "/sys/devices/system/cpu/" + name;
        host.kernel_directories[path] = directory_names(path);
    }
}

} // namespace

Result<Host> this_host() {
    Host host;
    host.isa = arch::host();
    host.page_size = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    host.address_limit = probe_address_limit(host.page_size);
    host.hwcap = getauxval(AT_HWCAP);
    host.hwcap2 = getauxval(AT_HWCAP2);
    host.minimum_signal_stack = getauxval(kAtMinSigStkSz);
    HRUNC_TRY_IN(read_kernel_areas(host), "look at this host");
    HRUNC_ASSIGN_IN(std::string last, read_file("/proc/sys/kernel/cap_last_cap", 64), "look at this host");
    if (std::from_chars(last.data(), last.data() + last.size(), host.last_capability).ec != std::errc())
        return Error(ErrorCode::kInvalid, "look at this host: \"/proc/sys/kernel/cap_last_cap\": not a number");
    utsname name{};
    if (uname(&name) == 0) host.kernel_release = name.release;
    read_kernel_directories(host);
    return host;
}

bool kernel_has(const Host &host, std::string_view path) {
    // The first component that a known directory lacks decides; where no directory is known, nothing can be said.
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        std::string_view here = path.substr(0, slash);
        std::size_t name = here.rfind('/');
        auto directory = host.kernel_directories.find(std::string(here.substr(0, name)));
        if (directory != host.kernel_directories.end() &&
            !std::binary_search(directory->second.begin(), directory->second.end(), here.substr(name + 1)))
            return false;
        if (slash == std::string_view::npos) return true;
    }
}

} // namespace hrunc::recode
