// A whole checkpoint, recoded. The input is a list of files of the handmade checkpoint to replace: each a byte for the
// name, two for the size (little-endian), and that many bytes, with the file's magics in front where it has any. The
// first byte of all chooses direction, profile, cgroup and ABI. Whatever comes in, the source stays as it is, and an
// error leaves nothing.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include "base/fd.h"
#include "recode/recode.h"
#include "tests/unit/recode/checkpoint.h"

using namespace hrunc;
using namespace hrunc::recode;
using namespace hrunc::recode::testing_support;

namespace {

constexpr std::array kNames{"inventory.img", "pstree.img",       "core-7.img",  "ids-7.img", "mm-7.img",
                            "fs-7.img",      "seccomp.img",      "cgroup.img",  "files.img", "mountpoints-12.img",
                            "fdinfo-2.img",  "pagemap-7.img",    "pages-1.img", "memfd.img", "pagemap-shmem-3.img",
                            "cpuinfo.img",   "hrunc-recode.json"};

constexpr const char *kProfile =
    R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})";

std::string word(std::uint32_t value) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift & 0xff));
    return bytes;
}

std::string with_header(const std::string &name, std::string_view content) {
    std::string bytes;
    if (auto parsed = parse_image_name(name); parsed && parsed->type->header != ImageHeader::kNone) {
        const ImageType &type = *parsed->type;
        if (type.header == ImageHeader::kCommon) bytes += word(kCommonMagic);
        if (type.header == ImageHeader::kService) bytes += word(kServiceMagic);
        bytes += word(type.magic);
    }
    return bytes + std::string(content);
}

// In memory, made once; it goes away with the program.
class Place {
  public:
    Place() {
        if (!mkdtemp(path_.data())) std::abort();
        for (arch::Isa isa : arch::kIsas) {
            std::filesystem::create_directories(images());
            Checkpoint(isa).write(images());
            for (const auto &file : std::filesystem::directory_iterator(images()))
                pristine_[isa][file.path().filename()] = *read_file(file.path(), kMaxFile);
            std::filesystem::remove_all(images());
            for (Abi abi : {Abi::kPopcorn, Abi::kPortable}) write_programs(root(isa, abi), isa, abi);
        }
    }
    ~Place() { std::filesystem::remove_all(path_); }
    void write_pristine(arch::Isa isa) const {
        std::filesystem::create_directories(images());
        for (const auto &[name, bytes] : pristine_.at(isa)) write(images() + "/" + name, bytes);
    }
    // libFuzzer's clock interrupts system calls: what does not try again, as std::filesystem::copy, fails now and then.
    static void write(const std::string &path, std::string_view bytes) {
        Result<Fd> file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (!file || !write_all(*file, bytes)) std::abort();
    }
    std::string root(arch::Isa isa, Abi abi) const {
        return path_ + (abi == Abi::kPortable ? "/portable_" : "/popcorn_") + std::string(arch::name(isa));
    }
    std::string images() const { return path_ + "/images"; }
    std::string output() const { return path_ + "/output"; }
    std::size_t entries() const {
        std::filesystem::directory_iterator all(path_);
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

  private:
    static constexpr std::size_t kMaxFile = std::size_t{1} << 20;
    std::string path_ = "/dev/shm/fuzz_recode.XXXXXX";
    std::map<arch::Isa, std::map<std::string, std::string>> pristine_;
};

void put_files(const std::string &directory, const std::uint8_t *data, std::size_t size) {
    while (size >= 3) {
        const char *name = kNames[data[0] % kNames.size()];
        std::size_t length = std::min<std::size_t>(data[1] | std::size_t{data[2]} << 8, size - 3);
        Place::write(directory + "/" + name,
                     with_header(name, std::string_view(reinterpret_cast<const char *>(data + 3), length)));
        data += 3 + length;
        size -= 3 + length;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static const Place kPlace;
    if (size == 0) return 0;
    arch::Isa target = (data[0] & 1) != 0 ? arch::Isa::kAarch64 : arch::Isa::kX8664;
    kPlace.write_pristine(arch::other(target));
    put_files(kPlace.images(), data + 1, size - 1);
    Request request;
    request.images = kPlace.images();
    request.output = kPlace.output();
    request.target = handmade_host(target);
    request.root = kPlace.root(target, (data[0] & 8) != 0 ? Abi::kPortable : Abi::kPopcorn);
    request.cgroup_path = (data[0] & 2) != 0 ? "/docker/new" : "";
    request.seccomp_profile = (data[0] & 4) != 0 ? kProfile : "";
    Result<Report> report = recode::recode(request);
    std::filesystem::remove_all(kPlace.images());
    std::filesystem::remove_all(kPlace.output());
    if (kPlace.entries() != 4) std::abort(); // what an error left behind
    return 0;
}
