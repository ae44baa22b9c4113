#include "migrate/page_hashes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "recode/image_file.h"
#include "recode/image_type.h"

namespace hrunc::migrate {

namespace {

constexpr std::size_t kAtOnce = 256; // pages
constexpr std::chrono::milliseconds kLookEvery{5};

} // namespace

std::uint64_t page_size() {
    static const auto size = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return size;
}

Result<std::vector<std::string>> regular_files(const Fd &directory) {
    HRUNC_ASSIGN(Fd own, open_at(directory, ".", O_RDONLY | O_DIRECTORY));
    std::unique_ptr<DIR, int (*)(DIR *)> listing(fdopendir(own.get()), closedir);
    if (!listing) return Error::system("list the images");
    static_cast<void>(own.release()); // the listing closes it
    std::vector<std::string> names;
    while (const dirent *entry = readdir(listing.get())) {
        struct stat status{};
        if (fstatat(directory.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
            names.emplace_back(entry->d_name);
    }
    return names;
}

PageHashes::PageHashes(const std::string &store) {
    Result<Fd> directory = open_file(store, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return;
    store_ = std::move(*directory);
    buffer_.resize(kAtOnce * page_size());
    thread_ = std::jthread([this](const std::stop_token &stop) { follow(stop); });
}

void PageHashes::end() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

const std::vector<std::uint64_t> &PageHashes::of(std::uint64_t pages_id) const {
    static const std::vector<std::uint64_t> none;
    auto file = files_.find(pages_id);
    return file == files_.end() ? none : file->second.hashes;
}

// Pages files that were not there before.
void PageHashes::find() {
    Result<std::vector<std::string>> names = regular_files(store_);
    if (!names) return;
    for (const std::string &text : *names) {
        std::optional<recode::ImageName> name = recode::parse_image_name(text);
        if (!name || name->type->kind != recode::ImageKind::kPages || files_.count(name->id) != 0) continue;
        if (Result<Fd> file = recode::open_image(store_, text); file) files_[name->id].fd = std::move(*file);
    }
}

// Hashes the next whole pages; gives whether there were any.
bool PageHashes::read_on(File &file) {
    std::uint64_t size = page_size();
    ssize_t got = pread(file.fd.get(), buffer_.data(), buffer_.size(), static_cast<off_t>(file.hashes.size() * size));
    std::size_t pages = got < 0 ? 0 : static_cast<std::size_t>(got) / size;
    for (std::size_t page = 0; page < pages; ++page)
        file.hashes.push_back(XXH3_64bits(buffer_.data() + page * size, size));
    return pages > 0;
}

void PageHashes::follow(const std::stop_token &stop) {
    for (bool last = false; !last;) {
        last = stop.stop_requested();
        find();
        bool more = false;
        for (auto &[id, file] : files_)
            while (read_on(file)) more = true;
        if (!more && !last) std::this_thread::sleep_for(kLookEvery);
    }
}

} // namespace hrunc::migrate
