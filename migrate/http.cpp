#include "migrate/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "oci/json.h"

namespace hrunc::migrate {

namespace {

Error broken(const std::string &what) {
    return {ErrorCode::kInvalid, "HTTP reply: " + what};
}

std::optional<std::size_t> number_from(std::string_view text, int base) {
    std::size_t number = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char &c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

class Reader {
  public:
    explicit Reader(const HttpSource &source) : source_(source) {}

    // Without its CRLF.
    Result<std::string> line() {
        for (;;) {
            std::size_t end = buffer_.find('\n');
            if (end != std::string::npos) {
                std::string text = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                if (text.ends_with('\r')) text.pop_back();
                return text;
            }
            if (buffer_.size() > kMaxHttpLine)
                return broken("a line of more than " + std::to_string(kMaxHttpLine) + " bytes");
            HRUNC_TRY(more());
        }
    }

    Result<void> take(std::size_t size, std::string &into) {
        if (size > kMaxHttpBody - into.size())
            return broken("a body of more than " + std::to_string(kMaxHttpBody) + " bytes");
        while (buffer_.size() < size) HRUNC_TRY(more());
        into.append(buffer_, 0, size);
        buffer_.erase(0, size);
        return {};
    }

  private:
    Result<void> more() {
        std::array<char, 16384> part{};
        HRUNC_ASSIGN(std::size_t got, source_(part.data(), part.size()));
        if (got == 0) return Error(ErrorCode::kPeer, "the connection ended");
        buffer_.append(part.data(), got);
        return {};
    }

    const HttpSource &source_;
    std::string buffer_;
};

// "HTTP/1.1 200 OK"
Result<int> status_from(const std::string &line) {
    std::optional<std::size_t> status;
    if (line.starts_with("HTTP/1.") && line.size() >= 12) status = number_from(std::string_view(line).substr(9, 3), 10);
    if (!status || *status < 100) return broken("its first line is " + oci::in_quotes(line));
    return static_cast<int>(*status);
}

struct Headers {
    std::optional<std::size_t> length;
    bool chunked = false;
};

Result<Headers> read_headers(Reader &reader) {
    Headers headers;
    for (std::size_t count = 0;; ++count) {
        HRUNC_ASSIGN(std::string line, reader.line());
        if (line.empty()) return headers;
        if (count == kMaxHttpHeaders) return broken("more than " + std::to_string(kMaxHttpHeaders) + " headers");
        std::size_t colon = line.find(':');
        if (colon == std::string::npos) return broken("header " + oci::in_quotes(line));
        std::string name = lower(std::string_view(line).substr(0, colon));
        std::string_view value = trimmed(std::string_view(line).substr(colon + 1));
        if (name == "transfer-encoding") headers.chunked = lower(value) == "chunked";
        if (name != "content-length") continue;
        headers.length = number_from(value, 10);
        if (!headers.length) return broken("header " + oci::in_quotes(line));
    }
}

Result<void> read_chunks(Reader &reader, std::string &body) {
    for (;;) {
        HRUNC_ASSIGN(std::string line, reader.line());
        std::optional<std::size_t> size = number_from(trimmed(line.substr(0, line.find(';'))), 16);
        if (!size) return broken("chunk size " + oci::in_quotes(line));
        if (*size == 0) break;
        HRUNC_TRY(reader.take(*size, body));
        HRUNC_ASSIGN(std::string end, reader.line());
        if (!end.empty()) return broken("a chunk is longer than it says");
    }
    return read_headers(reader).ok() ? Result<void>() : broken("its trailer");
}

} // namespace

std::string http_request(std::string_view method, std::string_view path, std::string_view body) {
    std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: docker\r\n";
    if (!body.empty()) text += "Content-Type: application/json\r\n";
    return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

Result<HttpReply> read_http_reply(const HttpSource &source) {
    Reader reader(source);
    HttpReply reply;
    HRUNC_ASSIGN(std::string first, reader.line());
    HRUNC_ASSIGN(reply.status, status_from(first));
    HRUNC_ASSIGN(Headers headers, read_headers(reader));
    if (headers.chunked) {
        HRUNC_TRY(read_chunks(reader, reply.body));
    } else if (headers.length) {
        HRUNC_TRY(reader.take(*headers.length, reply.body));
    } else if (reply.status != 204 && reply.status != 304) {
        return broken("neither chunked nor with a length");
    }
    return reply;
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     std::string_view("-._~").find(c) != std::string_view::npos;
        if (plain) {
            out += c;
            continue;
        }
        std::array<char, 4> hex{};
        std::snprintf(hex.data(), hex.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += hex.data();
    }
    return out;
}

} // namespace hrunc::migrate
