#include "migrate/http.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace hrunc::migrate {
namespace {

// Gives the text in parts of `part` bytes.
HttpSource source_of(std::string text, std::size_t part) {
    return [text = std::move(text), part, at = std::size_t{0}](char *into,
                                                               std::size_t size) mutable -> Result<std::size_t> {
        std::size_t count = std::min({part, size, text.size() - at});
        std::memcpy(into, text.data() + at, count);
        at += count;
        return count;
    };
}

std::string body_of(const std::string &text, std::size_t part = 1000) {
    Result<HttpReply> reply = read_http_reply(source_of(text, part));
    return reply ? std::to_string(reply->status) + " " + reply->body : reply.error().text();
}

TEST(Http, a_reply_is_read_however_it_is_cut_into_parts) {
    const std::string sized = "HTTP/1.1 201 Created\r\nApi-Version: 1.45\r\ncontent-LENGTH: 5\r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
    for (std::size_t part : {1, 2, 3, 7, 1000}) {
        EXPECT_EQ(body_of(sized, part), "201 hello");
        EXPECT_EQ(body_of(chunked, part), "200 hello world");
    }
    EXPECT_EQ(body_of("HTTP/1.1 204 No Content\r\n\r\n"), "204 ");
}

TEST(Http, a_broken_reply_is_refused) {
    EXPECT_EQ(body_of("SSH-2.0-OpenSSH\r\n"), "HTTP reply: its first line is \"SSH-2.0-OpenSSH\"");
    EXPECT_EQ(body_of("HTTP/1.1 2x0 OK\r\n\r\n"), "HTTP reply: its first line is \"HTTP/1.1 2x0 OK\"");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\n\r\nhello"), "HTTP reply: neither chunked nor with a length");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "HTTP reply: header \"Content-Length: -1\"");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nnothing\r\n\r\n"), "HTTP reply: header \"nothing\"");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
              "HTTP reply: chunk size \"xyz\"");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n"),
              "HTTP reply: a chunk is longer than it says");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), "the connection ended");
    EXPECT_EQ(body_of(""), "the connection ended");
}

TEST(Http, every_part_of_a_reply_has_a_limit) {
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n"),
              "HTTP reply: a body of more than 8388608 bytes");
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
              "HTTP reply: a body of more than 8388608 bytes");
    EXPECT_EQ(body_of("HTTP/1.1 200 " + std::string(40000, 'x')), "HTTP reply: a line of more than 16384 bytes");
    std::string headers;
    for (int i = 0; i < 101; ++i) headers += "a: b\r\n";
    EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\n" + headers + "\r\n"), "HTTP reply: more than 100 headers");
}

TEST(Http, a_request_says_how_long_it_is) {
    EXPECT_EQ(http_request("GET", "/info", ""), "GET /info HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(http_request("POST", "/x", "{}"),
              "POST /x HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(Http, a_name_cannot_lead_out_of_its_part_of_the_path) {
    EXPECT_EQ(percent_encoded("a-Z_0.~"), "a-Z_0.~");
    EXPECT_EQ(percent_encoded("../x?y z%\n"), "..%2Fx%3Fy%20z%25%0A");
}

} // namespace
} // namespace hrunc::migrate
