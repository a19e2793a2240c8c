#pragma once

#include <nerone/pipeline.hpp>

#include "pipeline/deadline.hpp"

namespace nerone::pipeline {

// One frame on its way. Jobs are used again.
struct Job {
  enum class Phase { unused, waiting, running, done };

  Phase phase = Phase::unused;
  bool is_put = false;       // collected by get(), not by a ticket
  bool given_up = false;     // its ticket is gone
  int awaited = 0;           // threads that wait for it
  std::uint64_t number = 0;  // of put frames
  Frame frame;
  Result result;
  std::exception_ptr error;
  Notify notify;
  Clock::time_point submitted, started, preprocessed, executed;
};

}  // namespace nerone::pipeline
