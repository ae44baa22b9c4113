#include "recode/outline.h"

#include <yajl/yajl_gen.h>

#include "recode/text.h"

namespace hrunc::recode {
namespace {

constexpr std::size_t kFlushAt = std::size_t{64} << 10;

} // namespace

Outline::Outline(Format format, Sink sink) : format_(format), sink_(std::move(sink)), json_(nullptr, yajl_gen_free) {
    if (format_ == Format::kText) return;
    json_.reset(yajl_gen_alloc(nullptr));
    if (!json_) {
        status_ = Error(ErrorCode::kSystem, "out of memory");
        return;
    }
    yajl_gen_config(json_.get(), yajl_gen_beautify, 1);
    yajl_gen_config(json_.get(), yajl_gen_indent_string, "  ");
    yajl_gen_map_open(json_.get());
}

void Outline::string(std::string_view text) {
    yajl_gen_string(json_.get(), reinterpret_cast<const unsigned char *>(text.data()), text.size());
}

void Outline::start_line() {
    if (one_line_) {
        if (!first_) buffer_ += ", ";
        first_ = false;
        return;
    }
    if (item_start_) {
        item_start_ = false;
        return;
    }
    buffer_.append(std::size_t{2} * depth_, ' ');
}

void Outline::text(std::string_view key, std::string_view value) {
    start_line();
    buffer_ += key;
    buffer_ += one_line_ ? " " : ": ";
    buffer_ += value;
    if (!one_line_) buffer_ += '\n';
    flush(false);
}

void Outline::member(std::string_view key, std::string_view value) {
    if (!status_) return;
    std::string shown = printable(value);
    if (!json_) return text(key, shown);
    string(key);
    string(shown);
    flush(false);
}

void Outline::member(std::string_view key, bool value) {
    if (!status_) return;
    if (!json_) return text(key, value ? "yes" : "no");
    string(key);
    yajl_gen_bool(json_.get(), value);
}

void Outline::number(std::string_view key, std::uint64_t value) {
    if (!status_) return;
    std::string digits = std::to_string(value);
    if (!json_) return text(key, digits);
    string(key);
    yajl_gen_number(json_.get(), digits.data(), digits.size()); // yajl's own integers are signed
    flush(false);
}

void Outline::begin(std::string_view key) {
    if (!status_) return;
    if (json_) {
        string(key);
        yajl_gen_map_open(json_.get());
        return;
    }
    start_line();
    buffer_.append(key).append(":\n");
    ++depth_;
}

void Outline::end() {
    if (!status_) return;
    if (json_)
        yajl_gen_map_close(json_.get());
    else
        --depth_;
}

void Outline::begin_list(std::string_view key) {
    if (!status_) return;
    if (json_) {
        string(key);
        yajl_gen_array_open(json_.get());
        return;
    }
    pending_ = key;
}

void Outline::begin_item(bool one_line) {
    if (!status_) return;
    if (json_) {
        yajl_gen_map_open(json_.get());
        return;
    }
    if (!pending_.empty()) {
        start_line();
        buffer_.append(pending_).append(":\n");
        pending_.clear();
        ++depth_;
    }
    start_line();
    buffer_ += "- ";
    ++depth_;
    one_line_ = first_ = one_line;
    item_start_ = !one_line;
}

void Outline::end_item() {
    if (!status_) return;
    if (json_) {
        yajl_gen_map_close(json_.get());
    } else {
        if (one_line_) buffer_ += '\n';
        one_line_ = item_start_ = false;
        --depth_;
    }
    flush(false);
}

void Outline::end_list() {
    if (!status_) return;
    if (json_) {
        yajl_gen_array_close(json_.get());
    } else if (!pending_.empty()) {
        std::string key = std::move(pending_);
        pending_.clear();
        text(key, "none");
    } else {
        --depth_;
    }
}

void Outline::flush(bool all) {
    if (!json_) {
        if (!all && buffer_.size() < kFlushAt) return;
        status_ = sink_(buffer_);
        buffer_.clear();
        return;
    }
    const unsigned char *bytes = nullptr;
    std::size_t size = 0;
    yajl_gen_get_buf(json_.get(), &bytes, &size);
    if (!all && size < kFlushAt) return;
    status_ = sink_(std::string_view(reinterpret_cast<const char *>(bytes), size));
    yajl_gen_clear(json_.get());
}

Result<void> Outline::finish() {
    if (!status_) return status_;
    if (json_) yajl_gen_map_close(json_.get());
    flush(true);
    return status_;
}

} // namespace hrunc::recode
