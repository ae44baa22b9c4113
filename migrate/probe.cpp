#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "migrate/checks.h"
#include "oci/image_store.h"
#include "oci/json.h"

namespace hrunc::migrate {

namespace {

template <typename Number> bool number_from(std::string_view text, Number &number, int base = 10) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return failure == std::errc() && end == text.data() + text.size();
}

// "0100007F:1E61": the address in the host's byte order (of both ISAs: little endian), the port. IPv6 has 32 digits.
std::optional<Listener> listener_from(const std::string &protocol, std::string_view text) {
    std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    Listener listener{protocol.substr(0, 3), "", 0};
    if (!number_from(text.substr(colon + 1), listener.port, 16)) return std::nullopt;
    in_addr address{};
    if (colon == 8) {
        if (!number_from(text.substr(0, colon), address.s_addr, 16)) return std::nullopt;
        std::array<char, INET_ADDRSTRLEN> name{};
        if (address.s_addr != 0) listener.address = inet_ntop(AF_INET, &address, name.data(), name.size());
    }
    return listener;
}

} // namespace

std::string probe_script(const std::vector<std::string> &paths) {
    std::string script = "echo uid $(id -u)\n"
                         "tar --version 2>/dev/null | grep -q 'GNU tar' && echo tar\n"
                         "command -v zstd >/dev/null && echo zstd\n"
                         "grep -qs Y /sys/module/overlay/parameters/metacopy && echo metacopy\n"
                         // Of the store's parents, the first that is there.
                         "p=" +
                         shell_word(oci::image_store_root()) +
                         "\n"
                         "while [ -n \"$p\" ] && ! [ -e \"$p\" ]; do p=${p%/*}; done\n"
                         "echo free $(stat -f -c '%a %S' \"${p:-/}\")\n"
                         // 0A: a listening TCP socket, 07: a UDP socket that is not connected.
                         "for p in tcp tcp6 udp udp6; do\n"
                         "  while read -r n local peer state rest; do\n"
                         "    case $p$state in tcp*0A|udp*07) echo in use $p $local;; esac\n"
                         "  done 2>/dev/null </proc/net/$p\n"
                         "done\n";
    for (std::size_t index = 0; index < paths.size(); ++index)
        script += "[ -e " + shell_word(paths[index]) + " ] || echo missing " + std::to_string(index) + "\n";
    return script + "echo end\n";
}

Result<Probe> probe_from(const std::string &output, const std::vector<std::string> &paths) {
    Probe probe;
    std::istringstream lines(output);
    bool complete = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::vector<std::string> word;
        for (std::string one; words >> one;) word.push_back(one);
        if (word.empty()) continue;
        std::uint64_t blocks = 0, size = 0;
        std::size_t index = 0;
        complete = line == "end";
        if (word[0] == "uid" && word.size() == 2 && !number_from(word[1], probe.uid)) probe.uid = ~0UL;
        if (line == "tar") probe.gnu_tar = true;
        if (line == "zstd") probe.zstd = true;
        if (line == "metacopy") probe.metacopy = true;
        if (word[0] == "free" && word.size() == 3 && number_from(word[1], blocks) && number_from(word[2], size))
            probe.free_images = blocks * size;
        if (word[0] == "in" && word.size() == 4)
            if (std::optional<Listener> listener = listener_from(word[2], word[3]))
                probe.listeners.push_back(*listener);
        if (word[0] == "missing" && word.size() == 2 && number_from(word[1], index) && index < paths.size())
            probe.missing_paths.push_back(paths[index]);
    }
    if (!complete) return Error(ErrorCode::kPeer, "the shell did not come to the end of its script");
    return probe;
}

} // namespace hrunc::migrate
