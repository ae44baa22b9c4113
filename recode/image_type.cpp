#include "recode/image_type.h"

#include <array>
#include <charconv>

#include "recode/images/container.pb.h"
#include "recode/images/core.pb.h"
#include "recode/images/data.pb.h"
#include "recode/images/files.pb.h"
#include "recode/images/inventory.pb.h"
#include "recode/images/memory.pb.h"

namespace hrunc::recode {
namespace {

using Id = ImageType::Id;

constexpr ImageType framed(ImageKind kind, std::string_view prefix, Id id, std::uint32_t magic) {
    return {kind, prefix, ".img", id, ImageHeader::kCommon, magic};
}
constexpr ImageType other(std::string_view prefix, Id id, std::uint32_t magic) {
    return framed(ImageKind::kOtherMessages, prefix, id, magic);
}
constexpr ImageType raw(std::string_view prefix, Id id, std::string_view suffix = ".img") {
    return {ImageKind::kRaw, prefix, suffix, id, ImageHeader::kNone, 0};
}

constexpr std::array kTypes{
    ImageType{ImageKind::kInventory, "inventory", ".img", Id::kNone, ImageHeader::kOwn, 0x58313116},
    ImageType{ImageKind::kStats, "stats-dump", "", Id::kNone, ImageHeader::kService, 0x57093306},
    ImageType{ImageKind::kStats, "stats-restore", "", Id::kNone, ImageHeader::kService, 0x57093306},
    ImageType{ImageKind::kOtherMessages, "irmap-cache", "", Id::kNone, ImageHeader::kService, 0x57004059},
    ImageType{ImageKind::kPages, "pages-", ".img", Id::kDecimal, ImageHeader::kNone, 0},
    framed(ImageKind::kProcessTree, "pstree", Id::kNone, 0x50273030),
    framed(ImageKind::kCore, "core-", Id::kDecimal, 0x55053847),
    framed(ImageKind::kIds, "ids-", Id::kDecimal, 0x54432030),
    framed(ImageKind::kAddressSpace, "mm-", Id::kDecimal, 0x57492820),
    framed(ImageKind::kPagemap, "pagemap-", Id::kDecimal, 0x56084025),
    framed(ImageKind::kSharedPagemap, "pagemap-shmem-", Id::kDecimal, 0x56084025),
    framed(ImageKind::kFiles, "files", Id::kNone, 0x56303138),
    framed(ImageKind::kDescriptors, "fdinfo-", Id::kDecimal, 0x56213732),
    framed(ImageKind::kFilesystem, "fs-", Id::kDecimal, 0x51403912),
    framed(ImageKind::kMounts, "mountpoints-", Id::kDecimal, 0x55563928),
    framed(ImageKind::kCgroups, "cgroup", Id::kNone, 0x59383330),
    framed(ImageKind::kSeccomp, "seccomp", Id::kNone, 0x64413049),
    framed(ImageKind::kCpuInfo, "cpuinfo", Id::kNone, 0x61404013),
    framed(ImageKind::kUts, "utsns-", Id::kDecimal, 0x54473203),
    framed(ImageKind::kTtyInfo, "tty-info", Id::kNone, 0x59453036),
    framed(ImageKind::kTtyData, "tty-data", Id::kNone, 0x59413026),
    framed(ImageKind::kMemfdInode, "memfd", Id::kNone, 0x48453499),
    framed(ImageKind::kRemapPath, "remap-fpath", Id::kNone, 0x59133954),
    framed(ImageKind::kFileLocks, "filelocks", Id::kNone, 0x54323616),
    framed(ImageKind::kGhostFile, "ghost-file-", Id::kHexadecimal, 0x52583605),
    framed(ImageKind::kPipesData, "pipes-data", Id::kNone, 0x56453709),
    framed(ImageKind::kFifoData, "fifo-data", Id::kNone, 0x59333054),
    framed(ImageKind::kSocketQueues, "sk-queues", Id::kNone, 0x56264026),
    framed(ImageKind::kTcpStream, "tcp-stream-", Id::kHexadecimal, 0x51465506),
    framed(ImageKind::kBpfMapData, "bpfmap-data", Id::kNone, 0x64324033),
    framed(ImageKind::kIpcShared, "ipcns-shm-", Id::kDecimal, 0x46283044),
    framed(ImageKind::kIpcMessages, "ipcns-msg-", Id::kDecimal, 0x55453737),
    framed(ImageKind::kIpcSemaphores, "ipcns-sem-", Id::kDecimal, 0x59573019),
    other("ipcns-var-", Id::kDecimal, 0x53115007),
    other("netdev-", Id::kDecimal, 0x57373951),
    other("netns-", Id::kDecimal, 0x55933752),
    other("userns-", Id::kDecimal, 0x55474906),
    other("timens-", Id::kDecimal, 0x43114433),
    other("pidns-", Id::kDecimal, 0x61157326),
    other("autofs-", Id::kDecimal, 0x49353943),
    other("binfmt-misc", Id::kNone, 0x67343323),
    other("apparmor", Id::kNone, 0x59423047),
    raw("ifaddr-", Id::kDecimal),
    raw("route-", Id::kDecimal),
    raw("route6-", Id::kDecimal),
    raw("rule-", Id::kDecimal),
    raw("iptables-", Id::kDecimal),
    raw("ip6tables-", Id::kDecimal),
    raw("nftables-", Id::kDecimal),
    raw("netns-ct-", Id::kDecimal),
    raw("netns-exp-", Id::kDecimal),
    raw("tmpfs-", Id::kDecimal, ".tar.gz.img"),
    raw("tmpfs-dev-", Id::kDecimal, ".tar.gz.img"),
};

std::optional<std::uint64_t> parse_id(std::string_view text, int base) {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    for (char c : text)
        if (c >= 'A' && c <= 'F') return std::nullopt;
    std::uint64_t id = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return id;
}

std::optional<ImageName> match(const ImageType &type, std::string_view name) {
    if (name.size() < type.prefix.size() + type.suffix.size()) return std::nullopt;
    if (!name.starts_with(type.prefix) || !name.ends_with(type.suffix)) return std::nullopt;
    std::string_view id = name.substr(type.prefix.size(), name.size() - type.prefix.size() - type.suffix.size());
    if (type.id == Id::kNone) return id.empty() ? std::optional(ImageName{&type, 0}) : std::nullopt;
    auto number = parse_id(id, type.id == Id::kDecimal ? 10 : 16);
    return number ? std::optional(ImageName{&type, *number}) : std::nullopt;
}

} // namespace

std::optional<ImageName> parse_image_name(std::string_view name) {
    for (const ImageType &type : kTypes)
        if (auto found = match(type, name)) return found;
    return std::nullopt;
}

std::string image_name(ImageKind kind, std::uint64_t id) {
    for (const ImageType &type : kTypes) {
        if (type.kind != kind) continue;
        std::string name(type.prefix);
        if (type.id != Id::kNone) {
            std::array<char, 20> digits{};
            auto end =
                std::to_chars(digits.data(), digits.data() + digits.size(), id, type.id == Id::kDecimal ? 10 : 16);
            name.append(digits.data(), end.ptr);
        }
        return name.append(type.suffix);
    }
    return {};
}

const google::protobuf::Message *image_prototype(ImageKind kind, bool first) {
    using namespace images;
    switch (kind) {
    case ImageKind::kInventory:
        return &Inventory::default_instance();
    case ImageKind::kProcessTree:
        return &Process::default_instance();
    case ImageKind::kCore:
        return &Core::default_instance();
    case ImageKind::kIds:
        return &ObjectIds::default_instance();
    case ImageKind::kAddressSpace:
        return &AddressSpace::default_instance();
    case ImageKind::kPagemap:
    case ImageKind::kSharedPagemap:
        if (first) return &PagemapHead::default_instance();
        return &PageRun::default_instance();
    case ImageKind::kFiles:
        return &File::default_instance();
    case ImageKind::kDescriptors:
        return &Descriptor::default_instance();
    case ImageKind::kFilesystem:
        return &Filesystem::default_instance();
    case ImageKind::kMounts:
        return &Mount::default_instance();
    case ImageKind::kCgroups:
        return &Cgroups::default_instance();
    case ImageKind::kSeccomp:
        return &Seccomp::default_instance();
    case ImageKind::kCpuInfo:
        return &CpuInfo::default_instance();
    case ImageKind::kUts:
        return &UtsNamespace::default_instance();
    case ImageKind::kTtyInfo:
        return &TtyInfo::default_instance();
    case ImageKind::kTtyData:
        return &TtyData::default_instance();
    case ImageKind::kMemfdInode:
        return &MemfdInode::default_instance();
    case ImageKind::kRemapPath:
        return &RemapPath::default_instance();
    case ImageKind::kFileLocks:
        return &FileLock::default_instance();
    case ImageKind::kGhostFile:
        if (first) return &GhostFile::default_instance();
        return &GhostChunk::default_instance();
    case ImageKind::kPipesData:
    case ImageKind::kFifoData:
        return &PipeData::default_instance();
    case ImageKind::kSocketQueues:
        return &SocketPacket::default_instance();
    case ImageKind::kTcpStream:
        return &TcpStream::default_instance();
    case ImageKind::kBpfMapData:
        return &BpfMapData::default_instance();
    case ImageKind::kIpcShared:
        return &SharedMemory::default_instance();
    case ImageKind::kIpcMessages:
        return &MessageQueue::default_instance();
    case ImageKind::kIpcSemaphores:
        return &SemaphoreSet::default_instance();
    case ImageKind::kStats:
        return &Stats::default_instance();
    case ImageKind::kOtherMessages:
        return &Opaque::default_instance();
    case ImageKind::kPages:
    case ImageKind::kRaw:
        return nullptr;
    }
    return nullptr;
}

} // namespace hrunc::recode
