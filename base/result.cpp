#include "base/result.h"

#include <cstring>

namespace hrunc {

Error Error::system(std::string_view act, int number) {
    Error error(ErrorCode::kSystem, std::string(act) + ": " + std::strerror(number));
    error.errno_ = number;
    return error;
}

Error Error::in(std::string_view outer) && {
    text_.insert(0, std::string(outer) + ": ");
    return std::move(*this);
}

} // namespace hrunc
