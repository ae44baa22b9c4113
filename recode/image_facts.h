// Numbers in CRIU's images. Source: CRIU criu/include/image.h, criu/include/pagemap.h, images/fdinfo.proto.
#pragma once

#include <cstdint>

namespace hrunc::recode {

// Inventory.image_version with common magics: all of CRIU 2.0 to 4.2.
inline constexpr std::uint32_t kImageVersion = 2;

// Vma.status
inline constexpr std::uint32_t kVmaRegular = 1U << 0;
inline constexpr std::uint32_t kVmaStack = 1U << 1;
inline constexpr std::uint32_t kVmaVsyscall = 1U << 2;
inline constexpr std::uint32_t kVmaVdso = 1U << 3;
inline constexpr std::uint32_t kVmaHeap = 1U << 5;
inline constexpr std::uint32_t kVmaFilePrivate = 1U << 6;
inline constexpr std::uint32_t kVmaFileShared = 1U << 7;
inline constexpr std::uint32_t kVmaAnonymousShared = 1U << 8;
inline constexpr std::uint32_t kVmaAnonymousPrivate = 1U << 9;
inline constexpr std::uint32_t kVmaSysvIpc = 1U << 10;
inline constexpr std::uint32_t kVmaSocket = 1U << 11;
inline constexpr std::uint32_t kVmaVvar = 1U << 12;
inline constexpr std::uint32_t kVmaAioRing = 1U << 13;
inline constexpr std::uint32_t kVmaMemfd = 1U << 14;
inline constexpr std::uint32_t kVmaShadowStack = 1U << 15;
inline constexpr std::uint32_t kVmaGuard = 1U << 16; // no mapping: a range under MADV_GUARD_INSTALL, after all others

// PageRun.flags
inline constexpr std::uint32_t kPagesInParent = 1U << 0;
inline constexpr std::uint32_t kPagesLazy = 1U << 1;
inline constexpr std::uint32_t kPagesPresent = 1U << 2; // in the pages file

// File.type and Descriptor.type
enum class FileType : std::uint32_t {
    kUndefined = 0,
    kRegular = 1,
    kPipe = 2,
    kFifo = 3,
    kInet = 4,
    kUnix = 5,
    kEventFd = 6,
    kEpoll = 7,
    kInotify = 8,
    kSignalFd = 9,
    kPacket = 10,
    kTty = 11,
    kFanotify = 12,
    kNetlink = 13,
    kNamespace = 14,
    kTun = 15,
    kExternal = 16,
    kTimerFd = 17,
    kMemfd = 18,
    kBpfMap = 19,
    kPidFd = 20,
};

} // namespace hrunc::recode
