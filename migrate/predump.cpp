#include "migrate/predump.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "oci/image_store.h"
#include "oci/json.h"
#include "recode/image_directory.h"
#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/memory.h"

namespace hrunc::migrate {

namespace {

constexpr std::size_t kMaxMaps = std::size_t{64} << 20;     // bytes of /proc/PID/maps
constexpr std::size_t kMaxStatus = std::size_t{1} << 20;    // bytes of /proc/PID/status
constexpr std::size_t kAtOnce = 256;                        // pages
constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20; // bytes of the smallest
// Bytes. A larger area is one that a program has reserved (AddressSanitizer's shadow has 16 TB), in which it would take
// too long to find the pages that there are; they go with the checkpoint.
constexpr std::uint64_t kMaxArea = std::uint64_t{64} << 30;

std::uint64_t hash_of_zeros() {
    static const std::uint64_t hash = [] {
        std::string page(page_size(), '\0');
        return XXH3_64bits(page.data(), page.size());
    }();
    return hash;
}

struct Area {
    std::uint64_t start = 0, end = 0;
};

// The private mappings that can hold pages of the process's own.
std::vector<Area> private_areas(const std::string &maps) {
    std::vector<Area> areas;
    std::istringstream lines(maps);
    for (std::string line; std::getline(lines, line);) {
        Area area;
        const char *end = line.data() + line.size();
        auto [dash, bad_start] = std::from_chars(line.data(), end, area.start, 16);
        if (bad_start != std::errc() || dash == end) continue;
        auto [space, bad_end] = std::from_chars(dash + 1, end, area.end, 16);
        if (bad_end != std::errc() || end - space < 5 || area.end <= area.start) continue;
        std::string_view rights(space + 1, 4), rest(space + 5, static_cast<std::size_t>(end - space) - 5);
        bool special = rest.ends_with("[vdso]") || rest.find("[vvar") != rest.npos || rest.ends_with("[vsyscall]");
        bool readable = rights[3] == 'p' && rights.substr(0, 3) != "---" && !special;
        if (readable && area.end - area.start <= kMaxArea) areas.push_back(area);
    }
    return areas;
}

// Whether a page, by its entry in /proc/PID/pagemap, is the process's own: in memory or swapped out, and of no file.
// Source: the kernel's Documentation/admin-guide/mm/pagemap.rst.
bool is_own(std::uint64_t entry) {
    constexpr std::uint64_t kPresent = std::uint64_t{1} << 63, kSwapped = std::uint64_t{1} << 62,
                            kOfFile = std::uint64_t{1} << 61;
    return (entry & (kPresent | kSwapped)) != 0 && (entry & kOfFile) == 0;
}

std::string namespace_of(const std::string &pid) {
    std::array<char, 64> text{};
    ssize_t size = readlink(("/proc/" + pid + "/ns/pid").c_str(), text.data(), text.size());
    return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
}

// The pid of a process in its own namespace; nothing: it has gone.
std::optional<std::uint32_t> inside_pid(const std::string &pid) {
    Result<std::string> status = read_file("/proc/" + pid + "/status", kMaxStatus);
    if (!status) return std::nullopt;
    std::size_t at = status->find("\nNSpid:");
    if (at == std::string::npos) return std::nullopt;
    std::string line = status->substr(at + 7, status->find('\n', at + 1) - at - 7);
    std::uint32_t number = 0;
    std::size_t last = line.find_last_of(" \t");
    if (last == std::string::npos) return std::nullopt;
    auto [end, failure] = std::from_chars(line.data() + last + 1, line.data() + line.size(), number);
    return failure == std::errc() ? std::optional(number) : std::nullopt;
}

// Of the directory in /proc, those names that are pids.
std::vector<std::string> pids() {
    std::vector<std::string> names;
    std::unique_ptr<DIR, int (*)(DIR *)> directory(opendir("/proc"), closedir);
    while (const dirent *entry = directory ? readdir(directory.get()) : nullptr)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') names.emplace_back(entry->d_name);
    return names;
}

Result<Fd> make_directory_at(const std::string &path) {
    if (mkdir(path.c_str(), 0700) != 0) return Error::system("make " + oci::in_quotes(path));
    return open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

} // namespace

// One process's part of a directory: a pagemap, and the pages that differ from those that are known.
class PreDump::Writer {
  public:
    static Result<Writer> make(const Fd &directory, std::uint32_t pid, std::uint32_t pages_id, std::uint64_t size,
                               const Pages *known) {
        HRUNC_ASSIGN(recode::Image pagemap, recode::Image::make(recode::image_name(recode::ImageKind::kPagemap, pid)));
        pagemap.add<recode::images::PagemapHead>().set_pages(pages_id);
        HRUNC_ASSIGN(Fd pages, open_at(directory, recode::image_name(recode::ImageKind::kPages, pages_id),
                                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        return Writer(std::move(pagemap), std::move(pages), size, known);
    }

    // Whether a page, at an address not below any that was asked for before, is as it was. Those passed over are not.
    bool is_known(const Page &page) {
        if (known_ == nullptr) return false;
        while (next_ < known_->size() && (*known_)[next_].address < page.address) ++next_;
        return next_ < known_->size() && (*known_)[next_].address == page.address && (*known_)[next_].hash == page.hash;
    }
    // The next page, which is known.
    Result<void> add_same(const Page &page) {
        all_.push_back(page);
        return extend(page.address, recode::PageRange::Place::kParent);
    }
    // The next pages, at ascending addresses.
    Result<void> add(std::uint64_t address, std::string_view bytes) {
        std::size_t first = 0, at = 0; // of those that are to be written
        for (; at < bytes.size(); at += size_) {
            Page page{address + at, XXH3_64bits(bytes.data() + at, size_)};
            if (!is_known(page)) {
                all_.push_back(page);
                HRUNC_TRY(extend(page.address, recode::PageRange::Place::kPages));
                continue;
            }
            HRUNC_TRY(add_same(page));
            HRUNC_TRY(write(bytes.substr(first, at - first)));
            first = at + size_;
        }
        return first < at ? write(bytes.substr(first, at - first)) : Result<void>();
    }
    Result<void> finish(const Fd &directory) {
        add_run();
        HRUNC_TRY(pagemap_.write(directory));
        return {};
    }

    Pages take_all() { return std::move(all_); }
    std::uint64_t written() const { return written_; } // bytes
    std::uint64_t page_size() const { return size_; }

  private:
    Writer(recode::Image pagemap, Fd pages, std::uint64_t size, const Pages *known)
        : pagemap_(std::move(pagemap)), pages_(std::move(pages)), size_(size), known_(known) {}

    Result<void> write(std::string_view bytes) {
        written_ += bytes.size();
        return write_all(pages_, bytes);
    }
    Result<void> extend(std::uint64_t address, recode::PageRange::Place place) {
        constexpr std::uint32_t kMaxCount = 0x7fffffff; // CRIU before 4.2 counts in an int
        if (count_ == 0 || place != place_ || address != start_ + count_ * size_ || count_ == kMaxCount) {
            if (pagemap_.entries().size() == recode::kMaxPageRuns)
                return Error(ErrorCode::kRefused,
                             "memory in more than " + std::to_string(recode::kMaxPageRuns) + " runs");
            add_run();
            start_ = address;
            count_ = 0;
            place_ = place;
        }
        ++count_;
        return {};
    }
    void add_run() {
        if (count_ > 0) recode::set_run(pagemap_.add<recode::images::PageRun>(), start_, count_, place_);
    }

    recode::Image pagemap_;
    Fd pages_;
    std::uint64_t size_, written_ = 0;
    const Pages *known_;
    std::size_t next_ = 0; // of those known, the first that may be at the next address
    Pages all_;
    std::uint64_t start_ = 0; // of the run that is not in the pagemap yet
    std::uint32_t count_ = 0; // its pages
    recode::PageRange::Place place_ = recode::PageRange::Place::kPages;
};

// What goes away while it is read is left out.
Result<void> PreDump::read_process(pid_t pid, Writer &writer) {
    std::string directory = "/proc/" + std::to_string(pid);
    Result<std::string> maps = read_file(directory + "/maps", kMaxMaps);
    Result<Fd> entries = open_file(directory + "/pagemap", O_RDONLY);
    if (!maps || !entries) return {};
    std::uint64_t size = writer.page_size();
    std::vector<std::uint64_t> own(kAtOnce);
    std::string bytes(kAtOnce * size, '\0');
    for (const Area &area : private_areas(*maps)) {
        for (std::uint64_t start = area.start; start < area.end; start += kAtOnce * size) {
            std::size_t count = std::min<std::uint64_t>(kAtOnce, (area.end - start) / size);
            ssize_t got = pread(entries->get(), own.data(), count * sizeof own[0],
                                static_cast<off_t>(start / size * sizeof own[0]));
            if (got <= 0) return {};
            count = static_cast<std::size_t>(got) / sizeof own[0];
            for (std::size_t page = 0; page < count;) {
                std::size_t run = 0;
                while (page + run < count && is_own(own[page + run])) ++run;
                auto *there = reinterpret_cast<void *>(start + page * size); // NOLINT(performance-no-int-to-ptr)
                iovec local{bytes.data(), run * size}, remote{there, run * size};
                ssize_t read = run == 0 ? 0 : process_vm_readv(pid, &local, 1, &remote, 1, 0);
                std::size_t whole = read < 0 ? 0 : static_cast<std::size_t>(read) / size;
                HRUNC_TRY(writer.add(start + page * size, std::string_view(bytes).substr(0, whole * size)));
                page += whole < run || run == 0 ? whole + 1 : run;
            }
        }
    }
    return {};
}

Result<std::uint64_t> PreDump::add(pid_t init, const std::string &store) {
    std::string space = namespace_of(std::to_string(init));
    if (space.empty() || space == namespace_of("self")) return 0;
    std::string path = store + "/" + name_of(rounds_ + 1);
    HRUNC_ASSIGN(Fd directory, make_directory_at(path));
    if (rounds_ > 0 && symlinkat(("../" + last()).c_str(), directory.get(), recode::kParentLink) != 0)
        return Error::system("link " + oci::in_quotes(path + "/" + recode::kParentLink));
    std::map<std::uint32_t, Pages> read;
    std::uint64_t bytes = 0;
    std::uint32_t pages_id = 0;
    for (const std::string &pid : pids()) {
        if (namespace_of(pid) != space) continue;
        std::optional<std::uint32_t> inside = inside_pid(pid);
        if (!inside || read.count(*inside) != 0) continue;
        auto known = known_.find(*inside);
        HRUNC_ASSIGN(Writer writer, Writer::make(directory, *inside, ++pages_id, page_size(),
                                                 known == known_.end() ? nullptr : &known->second));
        HRUNC_TRY_IN(read_process(static_cast<pid_t>(std::stol(pid)), writer), "memory of process " + pid);
        HRUNC_TRY(writer.finish(directory));
        bytes += writer.written();
        read[*inside] = writer.take_all();
    }
    known_ = std::move(read);
    ++rounds_;
    return bytes;
}

Result<void> PreDump::drop_pages(const std::string &store) const {
    std::string path = store + "/" + last();
    HRUNC_ASSIGN(Fd directory, open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    HRUNC_ASSIGN(std::vector<std::string> names, regular_files(directory));
    for (const std::string &name : names)
        if (name.starts_with("pages-") && unlinkat(directory.get(), name.c_str(), 0) != 0)
            return Error::system("remove " + oci::in_quotes(name) + " of " + oci::in_quotes(path));
    return {};
}

// Where the kernel may have put huge pages for the sake of a few bytes: private memory of no file.
PreDump::Areas PreDump::huge_areas(const Fd &images, std::uint32_t pid) {
    Areas areas;
    Result<recode::Image> image =
        recode::Image::read(images, recode::image_name(recode::ImageKind::kAddressSpace, pid));
    const auto *space = image ? image->get<recode::images::AddressSpace>(0) : nullptr;
    if (space == nullptr) return areas; // the restore will say what is wrong with it
    for (const recode::images::Vma &vma : space->vmas()) {
        std::uint32_t kind = vma.status() & ~(recode::kVmaRegular | recode::kVmaHeap | recode::kVmaStack);
        if (kind == recode::kVmaAnonymousPrivate && vma.end() - vma.start() >= kHugePage)
            areas[vma.start()] = vma.end();
    }
    return areas;
}

// A run of a checkpoint's pages. `hashes` are of the first pages of their file. `adjoined`: whether other runs do.
//
// Pages of zeros that have none but zeros beside them are left out of huge areas, where they are zeros without being in
// an image. Else memory would grow with each move: CRIU fills the areas at other addresses, gets huge pages there, and
// so makes present what was not.
Result<void> PreDump::subtract_run(const recode::PageRange &run, const Fd &pages,
                                   const std::vector<std::uint64_t> &hashes, const Areas &huge, Adjoined adjoined,
                                   Writer &writer) {
    std::uint64_t size = writer.page_size(), first = 0; // of those to be read
    auto is_zeros = [&](std::uint64_t page) {
        return run.first + page < hashes.size() && hashes[run.first + page] == hash_of_zeros();
    };
    auto is_left_out = [&](std::uint64_t page) {
        bool before = page == 0 ? !adjoined.before : is_zeros(page - 1);
        bool after = page + 1 == run.pages ? !adjoined.after : is_zeros(page + 1);
        if (!before || !is_zeros(page) || !after) return false;
        std::uint64_t address = run.address + page * size;
        auto next = huge.upper_bound(address);
        return next != huge.begin() && address < std::prev(next)->second;
    };
    for (std::uint64_t page = 0; page <= run.pages; ++page) {
        bool left_out = page == run.pages || is_left_out(page);
        std::optional<Page> known;
        if (!left_out && run.first + page < hashes.size())
            known = Page{run.address + page * size, hashes[run.first + page]};
        if (known && !writer.is_known(*known)) known.reset();
        if (page > first && (left_out || known || page - first == kAtOnce)) {
            std::string bytes((page - first) * size, '\0');
            HRUNC_TRY(read_exactly_at(pages, bytes.data(), bytes.size(), (run.first + first) * size));
            HRUNC_TRY(writer.add(run.address + first * size, bytes));
            first = page;
        }
        if (known) HRUNC_TRY(writer.add_same(*known));
        if (left_out || known) first = page + 1;
    }
    return {};
}

// Gives whether it was done; if not, the image has to stay as it is.
Result<bool> PreDump::subtract_memory(const Fd &images, const std::string &name, std::uint32_t pid, const Fd &out,
                                      const PageHashes &hashes, std::string &pages_name) const {
    auto known = known_.find(pid);
    if (known == known_.end()) return false;
    HRUNC_ASSIGN(recode::Pagemap pagemap, recode::Pagemap::read(images, name));
    if (!pagemap.has_pages_file() || pagemap.page_size() != page_size()) return false;
    for (const recode::PageRange &run : pagemap.runs())
        if (run.place != recode::PageRange::Place::kPages) return false;
    pages_name = pagemap.pages_name();
    std::optional<recode::ImageName> pages_image = recode::parse_image_name(pages_name);
    HRUNC_ASSIGN(Fd pages, recode::open_image(images, pages_name));
    HRUNC_ASSIGN(Writer writer,
                 Writer::make(out, pid, static_cast<std::uint32_t>(pages_image->id), page_size(), &known->second));
    Areas huge = huge_areas(images, pid);
    const std::vector<recode::PageRange> &runs = pagemap.runs();
    for (auto run = runs.begin(); run != runs.end(); ++run) {
        Adjoined adjoined{run != runs.begin() && pagemap.end(*std::prev(run)) == run->address,
                          std::next(run) != runs.end() && std::next(run)->address == pagemap.end(*run)};
        HRUNC_TRY(subtract_run(*run, pages, hashes.of(pages_image->id), huge, adjoined, writer));
    }
    HRUNC_TRY(writer.finish(out));
    return true;
}

Result<void> PreDump::subtract(const std::string &store, const std::string &out, const PageHashes &hashes) const {
    HRUNC_ASSIGN(Fd images, open_file(store, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    HRUNC_ASSIGN(Fd output, make_directory_at(out));
    HRUNC_ASSIGN(std::vector<std::string> names, regular_files(images));
    std::set<std::string> done{oci::kIncomplete, oci::kAwaited};
    for (const std::string &name : names) {
        std::optional<recode::ImageName> image = recode::parse_image_name(name);
        if (!image || image->type->kind != recode::ImageKind::kPagemap) continue;
        std::string pages_name;
        HRUNC_ASSIGN_IN(
            bool subtracted,
            subtract_memory(images, name, static_cast<std::uint32_t>(image->id), output, hashes, pages_name), name);
        if (subtracted) done.insert({name, pages_name});
    }
    for (const std::string &name : names)
        if (done.count(name) == 0 && linkat(images.get(), name.c_str(), output.get(), name.c_str(), 0) != 0)
            return Error::system("link " + oci::in_quotes(name) + " into " + oci::in_quotes(out));
    if (rounds_ > 0 && symlinkat(last().c_str(), output.get(), recode::kParentLink) != 0)
        return Error::system("link " + oci::in_quotes(out + "/" + recode::kParentLink));
    return {};
}

} // namespace hrunc::migrate
