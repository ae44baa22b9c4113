#include "shim/network_lock.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace hrunc::shim {

namespace {

constexpr std::string_view kTable = "hrunc", kChain = "arriving";
constexpr std::int32_t kPriority = -300; // before whatever else filters (NF_IP_PRI_RAW)

std::string padded(std::string bytes) {
    bytes.resize(NLMSG_ALIGN(bytes.size()), '\0');
    return bytes;
}

template <typename T> std::string bytes_of(const T &value) {
    return {reinterpret_cast<const char *>(&value), sizeof value};
}

std::string attribute(std::uint16_t type, std::string_view value) {
    nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
    return padded(bytes_of(header) + std::string(value));
}

std::string attribute(std::uint16_t type, std::uint32_t value) {
    return attribute(type, bytes_of(htobe32(value)));
}

std::string name(std::uint16_t type, std::string_view value) {
    return attribute(type, std::string(value) + '\0');
}

// Messages of nf_tables and of its batches, which are done as a whole or not at all; they are numbered from 1.
class Batch {
  public:
    Batch() { add(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, ""); }

    void add(nf_tables_msg_types type, std::string_view attributes) {
        add(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            NFPROTO_INET, 0, attributes);
        last_ = count_;
    }

    // An error of any message is the batch's.
    Result<void> run(const Fd &socket) {
        add(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, "");
        sockaddr_nl kernel{};
        kernel.nl_family = AF_NETLINK;
        if (sendto(socket.get(), bytes_.data(), bytes_.size(), 0, reinterpret_cast<sockaddr *>(&kernel),
                   sizeof kernel) < 0)
            return Error::system("send to nf_tables");
        return hear(socket);
    }

  private:
    void add(std::uint16_t type, int flags, std::uint8_t family, std::uint16_t resource, std::string_view attributes) {
        nlmsghdr header{};
        nfgenmsg generic{family, NFNETLINK_V0, htobe16(resource)};
        header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + sizeof generic + attributes.size());
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header.nlmsg_seq = ++count_;
        bytes_ += padded(bytes_of(header) + bytes_of(generic) + std::string(attributes));
    }

    // The kernel has answered by the time that it takes the batch.
    Result<void> hear(const Fd &socket) const {
        alignas(nlmsghdr) std::array<char, 8192> buffer{};
        while (true) {
            ssize_t size = recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size < 0) return Error::system("hear from nf_tables");
            auto left = static_cast<std::uint32_t>(size);
            for (auto *at = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(at, left);
                 at = NLMSG_NEXT(at, left)) {
                if (at->nlmsg_type != NLMSG_ERROR || at->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) continue;
                nlmsgerr answer{};
                std::memcpy(&answer, NLMSG_DATA(at), sizeof answer);
                if (answer.error != 0) return Error::system("set up nf_tables", -answer.error);
                if (at->nlmsg_seq == last_) return {};
            }
        }
    }

    std::string bytes_;
    std::uint32_t count_ = 0, last_ = 0;
};

// A socket belongs to the network namespace that its maker is in.
Result<Fd> socket_in(const Fd &space) {
    HRUNC_ASSIGN(Fd own, open_file("/proc/thread-self/ns/net", O_RDONLY));
    struct stat theirs{}, ours{};
    if (fstat(space.get(), &theirs) != 0 || fstat(own.get(), &ours) != 0)
        return Error::system("look at a network namespace");
    if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
        return Error(ErrorCode::kRefused, "the container has no network of its own");
    if (setns(space.get(), CLONE_NEWNET) != 0) return Error::system("enter a network namespace");
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    int error = errno;
    if (setns(own.get(), CLONE_NEWNET) != 0) return Error::system("leave a network namespace");
    if (!socket) return Error::system("reach nf_tables", error);
    return socket;
}

} // namespace

Result<Fd> lock_network_of(pid_t task) {
    HRUNC_ASSIGN(Fd space, open_file("/proc/" + std::to_string(task) + "/ns/net", O_RDONLY));
    HRUNC_ASSIGN(Fd socket, socket_in(space));
    Batch batch;
    batch.add(NFT_MSG_NEWTABLE, name(NFTA_TABLE_NAME, kTable) + attribute(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER));
    batch.add(NFT_MSG_NEWCHAIN,
              name(NFTA_CHAIN_TABLE, kTable) + name(NFTA_CHAIN_NAME, kChain) + name(NFTA_CHAIN_TYPE, "filter") +
                  attribute(NFTA_CHAIN_POLICY, NF_DROP) +
                  attribute(NLA_F_NESTED | NFTA_CHAIN_HOOK,
                            attribute(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN) + attribute(NFTA_HOOK_PRIORITY, kPriority)));
    HRUNC_TRY(batch.run(socket));
    return socket;
}

} // namespace hrunc::shim
