// A report as an outline of members and lists, written piece by piece as indented text or as JSON: nothing of it is
// held, so it may be of any size. Text from images is made printable in both.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct yajl_gen_t;

namespace hrunc::recode {

class Outline {
  public:
    enum class Format : std::uint8_t { kText, kJson };
    using Sink = std::function<Result<void>(std::string_view)>;

    Outline(Format format, Sink sink);

    void member(std::string_view key, std::string_view text);
    void member(std::string_view key, const char *text) { member(key, std::string_view(text)); }
    void member(std::string_view key, bool value);
    void member(std::string_view key, std::unsigned_integral auto value) { number(key, value); }
    void begin(std::string_view key); // an object as a member
    void end();
    void begin_list(std::string_view key);
    void begin_item(bool one_line); // an object in the list; as text, on one line if its members are few and short
    void end_item();
    void end_list();

    // Writes what is left. The first error of the sink; after one, nothing more is written.
    Result<void> finish();
    const Result<void> &status() const { return status_; }

  private:
    void number(std::string_view key, std::uint64_t value);
    void text(std::string_view key, std::string_view value);
    void start_line();
    void open_list();
    void flush(bool all);
    void string(std::string_view text);

    Format format_;
    Sink sink_;
    Result<void> status_;
    std::unique_ptr<yajl_gen_t, void (*)(yajl_gen_t *)> json_;
    std::string buffer_;  // as text
    std::string pending_; // key of a list that has no item yet
    unsigned depth_ = 0;
    bool item_start_ = false; // the next member stands behind the dash
    bool one_line_ = false, first_ = false;
};

} // namespace hrunc::recode
