#include "recode/text.h"

#include <array>
#include <charconv>

namespace hrunc::recode {

std::string printable(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size());
    for (char c : bytes) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '\\') {
            text += "\\\\";
        } else if (byte >= 0x20 && byte < 0x7f) {
            text += c;
        } else {
            text += "\\x";
            text += kDigits[byte >> 4];
            text += kDigits[byte & 15];
        }
    }
    return text;
}

std::string quoted(std::string_view bytes) {
    constexpr std::size_t kMaxQuoted = 200;
    std::string text = "\"" + printable(bytes.substr(0, kMaxQuoted)) + "\"";
    return bytes.size() > kMaxQuoted ? text + "..." : text;
}

std::string hex(std::uint64_t value) {
    std::array<char, 16> digits{};
    auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
    return "0x" + std::string(digits.data(), end);
}

} // namespace hrunc::recode
