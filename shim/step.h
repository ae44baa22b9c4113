// How long the steps of an operation take: into the log, for who debugs, and for everybody where a person had to wait.
#pragma once

#include <chrono>
#include <string>
#include <utility>

namespace hrunc::shim {

// Logs "NAME took 0.123 s" when it goes.
class Step {
  public:
    explicit Step(std::string name) : name_(std::move(name)), start_(std::chrono::steady_clock::now()) {}
    ~Step();
    Step(const Step &) = delete;
    Step &operator=(const Step &) = delete;

  private:
    std::string name_;
    std::chrono::steady_clock::time_point start_;
};

} // namespace hrunc::shim
