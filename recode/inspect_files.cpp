#include "recode/inspect_files.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>

#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/images/files.pb.h"
#include "recode/text.h"

namespace hrunc::recode {
namespace {

// By FileType.
constexpr std::array<std::string_view, 21> kTypeNames{
    "undefined", "regular", "pipe",     "fifo",    "inet",  "unix",     "eventfd",
    "epoll",     "inotify", "signalfd", "packet",  "tty",   "fanotify", "netlink",
    "namespace", "tun",     "external", "timerfd", "memfd", "bpf-map",  "pidfd"};
static_assert(static_cast<std::size_t>(FileType::kPidFd) == kTypeNames.size() - 1);

// By TCP_* of <netinet/tcp.h>; sockets of other protocols use 1 and 7 of them.
constexpr std::array<std::string_view, 13> kSocketStates{
    "unknown", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2",      "time-wait",
    "closed",  "close-wait",  "last-ack", "listening",    "closing",    "new-syn-received"};

template <std::size_t N> std::string name_of(const std::array<std::string_view, N> &names, std::uint32_t number) {
    return number < N ? std::string(names[number]) : std::to_string(number);
}

template <typename Words> std::string address_of(std::uint32_t family, const Words &words, std::uint32_t port) {
    std::array<std::uint8_t, 16> bytes{};
    for (int i = 0; i < std::min(4, words.size()); ++i)
        for (unsigned byte = 0; byte < 4; ++byte)
            bytes[static_cast<unsigned>(i) * 4 + byte] = static_cast<std::uint8_t>(words.Get(i) >> (8 * byte));
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (!inet_ntop(family == AF_INET6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size())) return "?";
    std::string address = text.data();
    if (family == AF_INET6) address = "[" + address + "]";
    return address + ":" + std::to_string(port);
}

void report_inet(const images::InetSocket &socket, Outline &out) {
    std::uint32_t protocol = socket.protocol();
    out.member("protocol", protocol == IPPROTO_TCP   ? "tcp"
                           : protocol == IPPROTO_UDP ? "udp"
                                                     : std::to_string(protocol));
    out.member("state", name_of(kSocketStates, socket.state()));
    out.member("address", address_of(socket.family(), socket.source_address(), socket.source_port()));
    if (socket.destination_port() != 0)
        out.member("peer", address_of(socket.family(), socket.destination_address(), socket.destination_port()));
    out.member("flags", hex(socket.flags()));
}

void report_unix(const images::UnixSocket &socket, Outline &out) {
    out.member("state", name_of(kSocketStates, socket.state()));
    if (!socket.name().empty()) out.member("name", socket.name());
    if (socket.peer() != 0) out.member("peer_inode", socket.peer());
    out.member("flags", hex(socket.flags()));
}

// What matters of the field that is set.
void report_details(const images::File &file, Outline &out) {
    if (file.has_regular()) {
        out.member("path", file.regular().name());
        out.member("flags", hex(file.regular().flags()));
        out.member("position", file.regular().position());
    }
    if (file.has_pipe()) {
        out.member("pipe", file.pipe().pipe());
        out.member("flags", hex(file.pipe().flags()));
    }
    if (file.has_inet()) report_inet(file.inet(), out);
    if (file.has_unix_socket()) report_unix(file.unix_socket(), out);
    if (file.has_fifo()) out.member("pipe", file.fifo().pipe());
    if (file.has_eventfd()) out.member("flags", hex(file.eventfd().flags()));
    if (file.has_epoll()) out.member("watches", static_cast<std::uint32_t>(file.epoll().targets_size()));
    if (file.has_tty()) out.member("flags", hex(file.tty().flags()));
    if (file.has_memfd()) out.member("inode", file.memfd().inode());
}

struct Use {
    std::uint32_t file, pid, fd;
};

bool by_file(const Use &a, const Use &b) {
    return a.file < b.file;
}

// Which descriptors each file is open as, in the order of file ids. Processes can share a table of descriptors; the
// first of them stands for all.
Result<std::vector<Use>> find_uses(const ImageDirectory &images) {
    std::vector<Use> uses;
    std::unordered_set<std::uint32_t> tables;
    for (const DumpedProcess &process : images.processes()) {
        if (!process.alive() || !tables.insert(process.ids.files()).second) continue;
        HRUNC_ASSIGN(ImageReader reader,
                     ImageReader::open(images.fd(), image_name(ImageKind::kDescriptors, process.ids.files())));
        for (;;) {
            HRUNC_ASSIGN(auto entry, reader.next());
            if (!entry) break;
            if (uses.size() == kMaxDescriptors)
                return Error(ErrorCode::kInvalid, reader.name() + ": more than the limit of " +
                                                      std::to_string(kMaxDescriptors) +
                                                      " descriptors (kMaxDescriptors)");
            const auto &descriptor = static_cast<const images::Descriptor &>(*entry->message);
            uses.push_back(Use{descriptor.id(), process.pid, descriptor.number()});
        }
    }
    std::stable_sort(uses.begin(), uses.end(), by_file);
    return uses;
}

// "1:0 1:1 6:0", process and descriptor.
std::string uses_of(std::uint32_t file, const std::vector<Use> &uses) {
    constexpr std::ptrdiff_t kMaxShown = 64;
    auto [from, to] = std::equal_range(uses.begin(), uses.end(), Use{file, 0, 0}, by_file);
    std::string text;
    for (auto use = from; use != to && use - from < kMaxShown; ++use)
        text += (text.empty() ? "" : " ") + std::to_string(use->pid) + ":" + std::to_string(use->fd);
    return to - from > kMaxShown ? text + " and " + std::to_string(to - from - kMaxShown) + " more" : text;
}

std::string build_id_of(const images::RegularFile &file) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    constexpr int kMaxWords = 16;
    std::string text;
    for (int i = 0; i < std::min(kMaxWords, file.build_id_size()); ++i)
        for (unsigned shift = 0; shift < 32; shift += 8) {
            text += kDigits[file.build_id(i) >> (shift + 4) & 15];
            text += kDigits[file.build_id(i) >> shift & 15];
        }
    return text;
}

} // namespace

Result<std::map<std::uint32_t, Executable>> find_executables(const ImageDirectory &images,
                                                             const std::vector<std::uint32_t> &wanted) {
    std::map<std::uint32_t, Executable> found;
    std::unordered_set<std::uint32_t> ids(wanted.begin(), wanted.end());
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(images.fd(), image_name(ImageKind::kFiles)));
    for (;;) {
        HRUNC_ASSIGN(auto entry, reader.next());
        if (!entry) return found;
        const auto &file = static_cast<const images::File &>(*entry->message);
        if (!ids.contains(file.id()) || !file.has_regular()) continue;
        found[file.id()] = Executable{file.regular().name(), build_id_of(file.regular())};
    }
}

Result<void> report_files(const ImageDirectory &images, Outline &out) {
    HRUNC_ASSIGN(std::vector<Use> uses, find_uses(images));
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(images.fd(), image_name(ImageKind::kFiles)));
    out.begin_list("files");
    for (;;) {
        HRUNC_ASSIGN(auto entry, reader.next());
        if (!entry) break;
        const auto &file = static_cast<const images::File &>(*entry->message);
        out.begin_item(true);
        out.member("id", file.id());
        out.member("type", name_of(kTypeNames, file.type()));
        report_details(file, out);
        if (std::string open = uses_of(file.id(), uses); !open.empty()) out.member("open_as", open);
        out.end_item();
        HRUNC_TRY(out.status());
    }
    out.end_list();
    return {};
}

} // namespace hrunc::recode
