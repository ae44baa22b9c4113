#include <google/protobuf/stubs/common.h>
#include <seccomp.h>

#include <cstdio>

#include "shim/capture.h"
#include "shim/log.h"
#include "shim/verbs.h"
#include "shim/version.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kVersionLimit = std::size_t{64} << 10; // bytes that runc may print

std::string libseccomp_version() {
    const scmp_version *version = seccomp_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->micro);
}

std::string protobuf_version() {
    constexpr int kVersion = GOOGLE_PROTOBUF_VERSION; // 3021012 is 3.21.12
    return std::to_string(kVersion / 1'000'000) + "." + std::to_string(kVersion / 1'000 % 1'000) + "." +
           std::to_string(kVersion % 1'000);
}

} // namespace

// dockerd takes the runtime's commit from the line that begins with "commit:", which has to stay runc's.
std::string version_text() {
    return "hrunc version " HRUNC_VERSION "\n"
           "hrunc commit: " HRUNC_COMMIT "\n"
           "hrunc libseccomp: " +
           libseccomp_version() + "\nhrunc protobuf: " + protobuf_version() + "\n";
}

int version_main(const Invocation &invocation) {
    Result<std::string> runc = find_runc();
    if (!runc) {
        std::fputs(version_text().c_str(), stdout);
        return fatal(runc.error());
    }
    std::vector<std::string> argv = invocation.argv;
    argv.front() = "runc";
    Result<Captured> captured = capture(*runc, argv, kVersionLimit);
    if (!captured) return fatal(captured.error());
    std::fputs((captured->output + version_text()).c_str(), stdout);
    return captured->exit_code;
}

} // namespace hrunc::shim
