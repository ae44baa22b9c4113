#include "migrate/transfer.h"

namespace hrunc::migrate {

namespace {

// trusted.overlay.opaque and .redirect say what the directory shows, and have to come along.
constexpr const char *kTarOptions =
    "--numeric-owner --acls --xattrs --xattrs-include='*' "
    "--xattrs-exclude='trusted.overlay.origin' --xattrs-exclude='trusted.overlay.impure' "
    "--xattrs-exclude='trusted.overlay.nlink' --xattrs-exclude='trusted.overlay.upper' "
    "--xattrs-exclude='trusted.overlay.uuid' ";

std::string preparation(Into into, const std::string &directory) {
    std::string word = shell_word(directory);
    switch (into) {
    case Into::kNew:
        return "mkdir -m 700 " + word + " && cd " + word;
    case Into::kExisting:
        return "cd " + word;
    case Into::kEmptied:
        return "cd " + word + " && find . -mindepth 1 -delete";
    }
    return "false";
}

} // namespace

Result<std::uint64_t> send_directory(const std::string &from, const Host &target, const std::string &to, Into into,
                                     const Counter &counter) {
    std::string options = kTarOptions;
    std::string pack = "cd " + shell_word(from) + " && exec tar -c -I 'zstd -q -1 -T0' --sparse " + options + ".";
    std::string unpack = preparation(into, to) + " && exec tar -x -I 'zstd -q -d' -p --same-owner " + options;
    HRUNC_ASSIGN_IN(std::uint64_t bytes, run_joined(Host::here().command(pack), target.command(unpack), counter),
                    "send \"" + from + "\"");
    return bytes;
}

} // namespace hrunc::migrate
