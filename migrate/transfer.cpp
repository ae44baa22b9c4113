#include "migrate/transfer.h"

namespace hrunc::migrate {

namespace {

// trusted.overlay.opaque and .redirect say what the directory shows, and have to come along.
constexpr const char *kTarOptions =
    "--numeric-owner --acls --xattrs --xattrs-include='*' "
    "--xattrs-exclude='trusted.overlay.origin' --xattrs-exclude='trusted.overlay.impure' "
    "--xattrs-exclude='trusted.overlay.nlink' --xattrs-exclude='trusted.overlay.upper' "
    "--xattrs-exclude='trusted.overlay.uuid' ";

std::string preparation(const Parcel &parcel) {
    std::string word = shell_word(parcel.to);
    switch (parcel.into) {
    case Into::kNew:
        return "mkdir -m 700 " + word;
    case Into::kExisting:
        return "(cd " + word + ")";
    case Into::kEmptied:
        return "(cd " + word + " && find . -mindepth 1 -delete)";
    }
    return "false";
}

// As text that sed's basic regular expressions, or their replacements, take as it is.
std::string literal(std::string_view text, std::string_view special) {
    std::string out;
    for (char c : text) {
        if (special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

// tar's option that renames a directory with what is in it, and the targets of hard links, but not of symbolic ones.
std::string renaming(const std::string &from, const std::string &to) {
    return "--transform " +
           shell_word("flags=rhS;s/^" + literal(from, "\\.[]*^$/") + "\\(\\/\\|$\\)/" + literal(to, "\\&/") + "\\1/") +
           " ";
}

// In the archive the directories have names that none of their paths has.
std::string name_of(std::size_t number) {
    return "hrunc-parcel-" + std::to_string(number);
}

} // namespace

Result<std::uint64_t> send_directories(const std::vector<Parcel> &parcels, Origin origin, const Host &target,
                                       const Counter &counter) {
    std::string prepare, pack = "tar -c -C / -I 'zstd -q -1 -T0' --sparse ", names = "--";
    std::string unpack = "exec tar -x -C / -I 'zstd -q -d' -p --same-owner ";
    for (std::size_t number = 0; number < parcels.size(); ++number) {
        std::string from = parcels[number].from.substr(1);
        prepare += preparation(parcels[number]) + " && ";
        pack += renaming(from, name_of(number));
        unpack += renaming(name_of(number), parcels[number].to.substr(1));
        names += " " + shell_word(from);
    }
    // tar's exit code 1: a file has changed while it was read, or has gone.
    if (origin == Origin::kInUse) names += "; [ $? -le 1 ]";
    HRUNC_ASSIGN_IN(std::uint64_t bytes,
                    run_joined(Host::here().command(pack + kTarOptions + names),
                               target.command(prepare + unpack + kTarOptions), counter),
                    "send");
    return bytes;
}

} // namespace hrunc::migrate
