#pragma once

#include <cstddef>

#include "pipeline/completions.hpp"
#include "pipeline/job_pool.hpp"
#include "pipeline/job_queue.hpp"
#include "pipeline/statistics.hpp"

namespace nerone::pipeline {

// Where frames pass. Shared by the pipeline, its tickets and its worker threads: tickets may outlive the pipeline, and
// so may a thread that hangs in its device.
struct Flow {
  explicit Flow(std::size_t queue_size) : queue(queue_size, statistics), completions(queue, jobs, statistics) {}
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  Statistics statistics;
  JobPool jobs;
  JobQueue queue;
  Completions completions;
};

}  // namespace nerone::pipeline
