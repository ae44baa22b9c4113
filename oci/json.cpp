#include "oci/json.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <vector>

#include "base/fd.h"

namespace hrunc::oci {

namespace {

// Reads a whole document without building it, and stops at the first thing that is refused.
class Checker : public nlohmann::json_sax<Json> {
  public:
    explicit Checker(std::string_view text) : text_(text) {}

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t &) override { return true; }
    bool string(string_t &) override { return true; }
    bool binary(binary_t &) override { return true; }
    bool start_object(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_array() override { return leave(); }

    bool key(string_t &name) override {
        std::set<std::string> &names = members_.back();
        if (!names.insert(name).second) return refuse("member " + in_quotes(name) + " stands twice in one object");
        if (names.size() > kJsonMembers)
            return refuse("an object with more than " + std::to_string(kJsonMembers) + " members");
        return true;
    }

    bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &) override {
        std::size_t at = std::min(position == 0 ? 0 : position - 1, text_.size());
        std::string_view before = text_.substr(0, at);
        auto line = 1 + std::count(before.begin(), before.end(), '\n');
        std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
        return refuse("line " + std::to_string(line) + ", column " + std::to_string(1 + at - line_start) +
                      (at == text_.size() ? ": ends within a value" : ": not JSON"));
    }

    const std::string &refusal() const { return refusal_; }

  private:
    bool enter() {
        members_.emplace_back();
        if (members_.size() > kJsonDepth) return refuse("nested deeper than " + std::to_string(kJsonDepth) + " levels");
        return true;
    }
    bool leave() {
        members_.pop_back();
        return true;
    }
    bool refuse(std::string why) {
        refusal_ = std::move(why);
        return false;
    }

    std::string_view text_;
    std::vector<std::set<std::string>> members_; // of each object (and, empty, array) that is open
    std::string refusal_;
};

} // namespace

Result<Json> parse_json(std::string_view text) {
    try {
        Checker checker(text);
        if (!Json::sax_parse(text, &checker)) return Error(ErrorCode::kInvalid, checker.refusal());
        return Json::parse(text);
    } catch (const std::exception &exception) {
        return Error(ErrorCode::kInternal, std::string("JSON: ") + exception.what());
    }
}

Result<Json> read_json(const std::string &path, std::size_t limit) {
    // O_NONBLOCK: a FIFO in this place must not hold the call up.
    HRUNC_ASSIGN(Fd fd, open_file(path, O_RDONLY | O_NOCTTY | O_NONBLOCK));
    struct stat status{};
    if (fstat(fd.get(), &status) != 0) return Error::system(in_quotes(path));
    if (!S_ISREG(status.st_mode)) return Error(ErrorCode::kInvalid, in_quotes(path) + ": not a regular file");
    HRUNC_ASSIGN_IN(std::string text, read_to_end(fd, limit), in_quotes(path));
    HRUNC_ASSIGN_IN(Json json, parse_json(text), in_quotes(path));
    return json;
}

std::string to_text(const Json &json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t kLongest = 200;
    std::string out = "\"";
    for (char c : text.substr(0, kLongest)) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"' || c == '\\') {
            std::array<char, 8> hex{};
            std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
            out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(hex.data());
        } else {
            out += c;
        }
    }
    return out + (text.size() > kLongest ? "…\"" : "\"");
}

} // namespace hrunc::oci
