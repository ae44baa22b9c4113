// One image of any type. The first byte chooses the type, the rest is the file without its magics: those are right, so
// that every input reaches the entries.
#include <sys/mman.h>

#include <array>
#include <cstdlib>

#include "recode/image_file.h"

using namespace hrunc;
using namespace hrunc::recode;

namespace {

constexpr std::array kNames{
    "inventory.img",   "pstree.img",       "core-1.img",      "ids-1.img",         "mm-1.img",      "pagemap-1.img",
    "files.img",       "fdinfo-1.img",     "fs-1.img",        "mountpoints-1.img", "cgroup.img",    "seccomp.img",
    "cpuinfo.img",     "utsns-1.img",      "tty-info.img",    "tty-data.img",      "memfd.img",     "remap-fpath.img",
    "filelocks.img",   "ghost-file-1.img", "pipes-data.img",  "fifo-data.img",     "sk-queues.img", "tcp-stream-1.img",
    "bpfmap-data.img", "ipcns-shm-1.img",  "ipcns-msg-1.img", "ipcns-sem-1.img",   "stats-dump",    "netns-1.img"};

std::string word(std::uint32_t value) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift & 0xff));
    return bytes;
}

std::string with_header(const std::string &name, std::string_view entries) {
    const ImageType &type = *parse_image_name(name)->type;
    std::string bytes;
    if (type.header == ImageHeader::kCommon) bytes += word(kCommonMagic);
    if (type.header == ImageHeader::kService) bytes += word(kServiceMagic);
    return bytes + word(type.magic) + std::string(entries);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size == 0) return 0;
    std::string name = kNames[data[0] % kNames.size()];
    Fd file(memfd_create("image", MFD_CLOEXEC));
    std::string bytes = with_header(name, std::string_view(reinterpret_cast<const char *>(data + 1), size - 1));
    if (!write_all(file, bytes)) std::abort();
    auto reader = ImageReader::on(std::move(file), name);
    if (!reader) std::abort();
    for (;;) {
        auto entry = reader->next();
        if (!entry || !*entry) return 0;
        if ((*entry)->payload.offset + (*entry)->payload.size > bytes.size()) std::abort();
        auto encoded = encode_message(*(*entry)->message);
        if (!encoded) continue; // groups
        // What was read and encoded once stays as it is.
        std::unique_ptr<google::protobuf::Message> again((*entry)->message->New());
        if (!again->ParseFromString(*encoded)) std::abort();
        auto twice = encode_message(*again);
        if (!twice || *twice != *encoded) std::abort();
    }
}
