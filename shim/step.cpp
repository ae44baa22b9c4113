#include "shim/step.h"

#include <array>
#include <cstdio>

#include "shim/log.h"

namespace hrunc::shim {

namespace {

constexpr std::chrono::seconds kWorthALine{2};

} // namespace

Step::~Step() {
    auto took = std::chrono::steady_clock::now() - start_;
    std::array<char, 32> seconds{};
    std::snprintf(seconds.data(), seconds.size(), "%.3f s", std::chrono::duration<double>(took).count());
    log(took < kWorthALine ? LogLevel::kDebug : LogLevel::kInfo, name_ + " took " + seconds.data());
}

} // namespace hrunc::shim
