#include "shim/remote.h"

#include "oci/json.h"
#include "shim/program.h"

namespace hrunc::shim {

namespace {

constexpr int kSshFailed = 255; // ssh(1): an error of its own

} // namespace

Result<Captured> run_on(const std::string &host, const std::string &command, std::size_t limit) {
    if (host.empty() || host.starts_with('-'))
        return Error(ErrorCode::kInvalid, oci::in_quotes(host) + " is no [user@]HOST");
    std::optional<std::string> ssh = find_on_path("ssh");
    if (!ssh) return Error(ErrorCode::kRefused, "ssh is not on PATH: install openssh-client");
    HRUNC_ASSIGN(Captured said, capture(*ssh, {"ssh", "-n", "-T", "--", host, command}, limit));
    if (said.exit_code == kSshFailed) return Error(ErrorCode::kPeer, "ssh " + host + " failed");
    return said;
}

} // namespace hrunc::shim
