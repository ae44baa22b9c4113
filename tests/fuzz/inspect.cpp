// A directory of images, and all of the report on it. The input is a list of files, each a name from the table (one
// byte), a size (two bytes, little-endian) and that many bytes.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "recode/image_directory.h"
#include "recode/inspect.h"
#include "recode/memory.h"

using namespace hrunc;
using namespace hrunc::recode;

namespace {

constexpr std::array kNames{"inventory.img",      "pstree.img",    "core-1.img",    "core-6.img",  "core-7.img",
                            "mm-1.img",           "mm-6.img",      "ids-1.img",     "ids-6.img",   "fs-1.img",
                            "fs-6.img",           "pagemap-1.img", "pagemap-6.img", "files.img",   "fdinfo-2.img",
                            "fdinfo-3.img",       "seccomp.img",   "cgroup.img",    "cpuinfo.img", "utsns-12.img",
                            "mountpoints-13.img", "stats-dump",    "hrunc.json",    "pages-1.img"};

// One directory in memory for all runs; it goes away with the program.
class Directory {
  public:
    Directory() {
        if (!mkdtemp(path_.data())) std::abort();
        fd_ = *open_file(path_, O_RDONLY | O_DIRECTORY);
    }
    ~Directory() {
        clear();
        rmdir(path_.c_str());
    }
    void clear() const {
        for (const char *name : kNames) unlinkat(fd_.get(), name, 0);
    }
    const Fd &fd() const { return fd_; }

  private:
    std::string path_ = "/dev/shm/fuzz_inspect.XXXXXX";
    Fd fd_;
};

const Directory &scratch() {
    static const Directory kScratch;
    return kScratch;
}

void put_files(const std::uint8_t *data, std::size_t size) {
    while (size >= 3) {
        const char *name = kNames[data[0] % kNames.size()];
        std::size_t length = std::min<std::size_t>(data[1] | std::size_t{data[2]} << 8, size - 3);
        auto file = open_at(scratch().fd(), name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (!file || !write_all(*file, std::string_view(reinterpret_cast<const char *>(data + 3), length)))
            std::abort();
        data += 3 + length;
        size -= 3 + length;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    scratch().clear();
    put_files(data, size);
    for (auto format : {Outline::Format::kText, Outline::Format::kJson}) {
        auto done =
            inspect(*open_at(scratch().fd(), ".", O_RDONLY | O_DIRECTORY), {format, true}, [](std::string_view text) {
                for (char c : text)
                    if ((c < 0x20 && c != '\n') || c == 0x7f) std::abort();
                return Result<void>();
            });
        if (!done && done.error().code() == ErrorCode::kInternal) std::abort();
    }
    if (auto memory = DumpedMemory::of_process(scratch().fd(), 1); memory.ok())
        for (const PageRange &run : memory->pagemap().runs()) {
            if (memory->holds(run.address, 8) == (run.place == PageRange::Place::kLazy)) std::abort();
            (void)memory->read<std::uint64_t>(run.address).ok();
        }
    return 0;
}
