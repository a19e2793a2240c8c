#pragma once

#include <nerone/pipeline.hpp>

namespace nerone::pipeline::testing {

// Longer than any wait of a test that passes.
constexpr int patient_ms = 20'000;

inline Options options_with(int workers, int queue_size = 8) {
  Options options;
  options.workers = workers;
  options.queue_size = queue_size;
  return options;
}

}  // namespace nerone::pipeline::testing
