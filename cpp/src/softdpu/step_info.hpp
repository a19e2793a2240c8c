#pragma once

#include <chrono>
#include <string>

#include "softdpu/engine.hpp"
#include "softdpu/program.hpp"

namespace nerone::softdpu {

StepInfo info_of(const Program& program, const Step& step, const std::string& kernel);

// "conv 3x3", "transposed depthwise conv 2x2"
std::string kind_of(const Conv& conv);

// Adds the time since the last split to the next of many sums; does nothing without sums.
class StopWatch {
 public:
  explicit StopWatch(double* seconds) : seconds_(seconds), before_(seconds == nullptr ? Time{} : Clock::now()) {}

  void split() {
    if (seconds_ == nullptr) return;
    const auto now = Clock::now();
    *seconds_++ += std::chrono::duration<double>(now - before_).count();
    before_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  double* seconds_;
  Time before_;
};

}  // namespace nerone::softdpu
