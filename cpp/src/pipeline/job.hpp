#pragma once

#include <nerone/pipeline.hpp>

#include "pipeline/deadline.hpp"

namespace nerone::pipeline {

// One frame on its way. It belongs to whoever submits it, then to the queue, then to a worker, until Completions shows
// it as done and its ticket collects it. Jobs are used again.
struct Job {
  // Protected by the lock of Completions.
  bool done = false;
  bool given_up = false;  // its ticket is gone
  int awaited = 0;        // threads that wait for it

  Frame frame;
  Result result;
  std::exception_ptr error;
  Clock::time_point submitted, started, preprocessed, executed;
};

}  // namespace nerone::pipeline
