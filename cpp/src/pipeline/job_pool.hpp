#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "pipeline/job.hpp"

namespace nerone::pipeline {

// Jobs that nobody uses.
class JobPool {
 public:
  Job& acquire();            // allocates only where more are in use than ever before
  void give_back(Job& job);  // its frame and result were released before

 private:
  std::mutex mutex_;
  std::deque<Job> jobs_;  // addresses stay
  std::vector<Job*> unused_;
};

}  // namespace nerone::pipeline
