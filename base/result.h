// Errors as values. An error is a code, an errno where the kernel gave one, and a text; each module border puts its
// own act in front of the text, outermost first, and only main prints it:
//
//     restore "web1": recode core-12.img: tls 0x7f00: outside every mapping
//
// Nothing here throws. Exceptions of third-party libraries are caught where they enter.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace hrunc {

enum class ErrorCode {
    kSystem,   // a system call failed; Error::system_errno() says how
    kInvalid,  // input that breaks its format: image, ELF file, JSON, message, option
    kRefused,  // well-formed, but not something this host or this policy can do
    kTimeout,  // did not happen in the time allowed
    kPeer,     // another program (runc, criu, the container's task) failed or went away
    kInternal, // a defect in hrunc itself
};

class [[nodiscard]] Error {
  public:
    Error(ErrorCode code, std::string text) : code_(code), text_(std::move(text)) {}

    // An error of a system call: the text becomes "ACT: strerror(number)". Takes errno when `number` is left out.
    static Error system(std::string_view act, int number = errno);

    // The same error with an outer act in front: "OUTER: text". Quoted paths and names belong into `outer`.
    Error in(std::string_view outer) &&;

    ErrorCode code() const { return code_; }
    int system_errno() const { return errno_; } // 0 where no system call was involved
    const std::string &text() const { return text_; }

  private:
    ErrorCode code_;
    int errno_ = 0;
    std::string text_;
};

// Either a T or an Error. Reading the wrong one is a defect and aborts.
template <typename T> class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T &value() & { return *check_value(); }
    const T &value() const & { return *const_cast<Result *>(this)->check_value(); }
    T value() && { return std::move(*check_value()); }
    T &operator*() & { return *check_value(); }
    const T &operator*() const & { return *const_cast<Result *>(this)->check_value(); }
    T operator*() && { return std::move(*check_value()); }
    T *operator->() { return check_value(); }
    const T *operator->() const { return const_cast<Result *>(this)->check_value(); }

    const Error &error() const & { return *const_cast<Result *>(this)->check_error(); }
    Error error() && { return std::move(*check_error()); }

  private:
    T *check_value() {
        if (T *value = std::get_if<0>(&state_)) return value;
        std::abort();
    }
    Error *check_error() {
        if (Error *error = std::get_if<1>(&state_)) return error;
        std::abort();
    }
    std::variant<T, Error> state_;
};

template <> class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    const Error &error() const & {
        if (!error_) std::abort();
        return *error_;
    }
    Error error() && {
        if (!error_) std::abort();
        return std::move(*error_);
    }

  private:
    std::optional<Error> error_;
};

} // namespace hrunc

#define HRUNC_JOIN_(a, b) a##b
#define HRUNC_JOIN(a, b) HRUNC_JOIN_(a, b)

// Leaves the function with the error of `expression` if it has one.
#define HRUNC_TRY(expression)                                                                                          \
    do {                                                                                                               \
        if (auto hrunc_result = (expression); !hrunc_result) return std::move(hrunc_result).error();                   \
    } while (false)

// The same, with `outer` put in front of the error's text.
#define HRUNC_TRY_IN(expression, outer)                                                                                \
    do {                                                                                                               \
        if (auto hrunc_result = (expression); !hrunc_result) return std::move(hrunc_result).error().in(outer);         \
    } while (false)

// `target` may be a declaration, so it can have no parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
// HRUNC_ASSIGN(auto fd, open(...)): declares or assigns the value, or leaves the function with the error.
#define HRUNC_ASSIGN(target, expression)                                                                               \
    auto HRUNC_JOIN(hrunc_result_, __LINE__) = (expression);                                                           \
    if (!HRUNC_JOIN(hrunc_result_, __LINE__)) return std::move(HRUNC_JOIN(hrunc_result_, __LINE__)).error();           \
    target = std::move(HRUNC_JOIN(hrunc_result_, __LINE__)).value()

#define HRUNC_ASSIGN_IN(target, expression, outer)                                                                     \
    auto HRUNC_JOIN(hrunc_result_, __LINE__) = (expression);                                                           \
    if (!HRUNC_JOIN(hrunc_result_, __LINE__)) return std::move(HRUNC_JOIN(hrunc_result_, __LINE__)).error().in(outer); \
    target = std::move(HRUNC_JOIN(hrunc_result_, __LINE__)).value()
// NOLINTEND(bugprone-macro-parentheses)
