#include "migrate/engine.h"

#include <charconv>
#include <utility>

#include "oci/fields.h"

namespace hrunc::migrate {

Result<HttpReply> Engine::converse(const std::string &request) {
    if (!peer_) {
        HRUNC_ASSIGN(Peer peer, Peer::start(host_.command("exec docker system dial-stdio")));
        peer_ = std::make_unique<Peer>(std::move(peer));
    }
    HRUNC_TRY(peer_->say(request));
    return read_http_reply([this](char *into, std::size_t size) { return peer_->hear(into, size); });
}

Result<HttpReply> Engine::exchange(const std::string &method, const std::string &path, const oci::Json &body) {
    std::string request = http_request(method, prefix_ + path, body.is_null() ? "" : oci::to_text(body));
    bool may_be_stale = peer_ != nullptr && (method == "GET" || method == "DELETE");
    Result<HttpReply> reply = converse(request);
    if (!reply && may_be_stale && !interrupted()) {
        peer_.reset();
        reply = converse(request);
    }
    if (reply) return reply;
    std::string complaint = peer_ && !interrupted() ? peer_->complaint() : "";
    peer_.reset();
    Error error = std::move(reply).error();
    if (!complaint.empty()) error = Error(ErrorCode::kPeer, complaint);
    return std::move(error).in("Docker " + host_.where());
}

Result<oci::Json> Engine::document_of(const HttpReply &reply) const {
    std::string act = "Docker " + host_.where();
    // 304: it is so already.
    if ((reply.status >= 200 && reply.status < 300) || reply.status == 304) {
        if (reply.body.empty()) return oci::Json();
        HRUNC_ASSIGN_IN(oci::Json document, oci::parse_json(reply.body), act);
        return document;
    }
    Result<oci::Json> document = oci::parse_json(reply.body);
    Result<std::string> message = document ? oci::text_at(*document, "message") : std::string();
    std::string text = message && !message->empty() ? *message : "HTTP status " + std::to_string(reply.status);
    return Error(ErrorCode::kPeer, act + ": " + text);
}

Result<oci::Json> Engine::call(const std::string &method, const std::string &path, const oci::Json &body) {
    HRUNC_ASSIGN(HttpReply reply, exchange(method, path, body));
    return document_of(reply);
}

Result<std::optional<oci::Json>> Engine::find(const std::string &method, const std::string &path) {
    HRUNC_ASSIGN(HttpReply reply, exchange(method, path, nullptr));
    if (reply.status == 404) return std::optional<oci::Json>();
    HRUNC_ASSIGN(oci::Json document, document_of(reply));
    return std::optional<oci::Json>(std::move(document));
}

namespace {

std::optional<std::pair<unsigned, unsigned>> version_from(std::string_view text) {
    std::pair<unsigned, unsigned> version;
    const char *end = text.data() + text.size();
    auto major = std::from_chars(text.data(), end, version.first);
    if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
    auto minor = std::from_chars(major.ptr + 1, end, version.second);
    if (minor.ec != std::errc() || minor.ptr != end) return std::nullopt;
    return version;
}

} // namespace

bool is_api_version(std::string_view text) {
    return version_from(text).has_value();
}

std::string lower_api_version(const std::string &one, const std::string &other) {
    return version_from(other) < version_from(one) ? other : one;
}

} // namespace hrunc::migrate
