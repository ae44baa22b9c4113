// The kinds of file in a CRIU image directory: name, magic, framing and message of each, as one table.
// Source of names and magics: CRIU criu/image-desc.c and criu/include/magic.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
class Message;
} // namespace google::protobuf

namespace hrunc::recode {

enum class ImageKind : std::uint8_t {
    kInventory,
    kProcessTree,
    kCore,
    kIds,
    kAddressSpace,
    kPagemap,
    kSharedPagemap,
    kPages,
    kFiles,
    kDescriptors,
    kFilesystem,
    kMounts,
    kCgroups,
    kSeccomp,
    kCpuInfo,
    kUts,
    kTtyInfo,
    kTtyData,
    kMemfdInode,
    kRemapPath,
    kFileLocks,
    kGhostFile,
    kPipesData,
    kFifoData,
    kSocketQueues,
    kTcpStream,
    kBpfMapData,
    kIpcShared,
    kIpcMessages,
    kIpcSemaphores,
    kStats,
    kOtherMessages, // framed, but nothing inside is looked at
    kRaw,           // somebody else's format: tar, ip, iptables
};

// How the file begins.
enum class ImageHeader : std::uint8_t {
    kNone,    // raw
    kOwn,     // the inventory: its own magic only
    kCommon,  // the magic of all images, then its own
    kService, // the magic of CRIU's service files, then its own
};

inline constexpr std::uint32_t kCommonMagic = 0x54564319;
inline constexpr std::uint32_t kServiceMagic = 0x55105940;

struct ImageType {
    ImageKind kind;
    std::string_view prefix; // the name is prefix, then the id if there is one, then suffix
    std::string_view suffix;
    enum class Id : std::uint8_t { kNone, kDecimal, kHexadecimal } id;
    ImageHeader header;
    std::uint32_t magic;
};

struct ImageName {
    const ImageType *type = nullptr;
    std::uint64_t id = 0; // the number in the name, 0 where there is none
};

// What a file's name says that it is; nothing where the name is none of CRIU's ("parent", "dump.log", "hrunc.json").
// Ids are in CRIU's own spelling only: no sign, no leading zero, at most 64 bits.
std::optional<ImageName> parse_image_name(std::string_view name);

// "core-7.img" of (kCore, 7). For the kinds whose name tells them apart, so not kOtherMessages and kRaw.
std::string image_name(ImageKind kind, std::uint64_t id = 0);

// The message of the image's entries (of its first entry where `first` is set: pagemaps and ghost files begin with
// another one). Null for raw images.
const google::protobuf::Message *image_prototype(ImageKind kind, bool first);

} // namespace hrunc::recode
