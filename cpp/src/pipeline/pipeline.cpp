#include <nerone/error.hpp>
#include <nerone/pipeline.hpp>
#include <nerone/process.hpp>
#include <string>
#include <thread>
#include <utility>

#include "pipeline/flow.hpp"
#include "pipeline/worker_pool.hpp"

namespace nerone::pipeline {

Ticket::Ticket(Ticket&& other) noexcept
    : completions_(std::move(other.completions_)), job_(std::exchange(other.job_, nullptr)) {}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  if (job_ != nullptr) completions_->give_up(*job_);
  completions_ = std::move(other.completions_);
  job_ = std::exchange(other.job_, nullptr);
  return *this;
}

Ticket::~Ticket() {
  if (job_ != nullptr) completions_->give_up(*job_);
}

bool Ticket::ready() const { return job_ != nullptr && completions_->is_done(*job_); }

Result Ticket::wait(int timeout_ms) {
  if (job_ == nullptr) throw ConfigurationError("this ticket is empty: its result was collected already");
  auto outcome = completions_->collect(*job_, Deadline(timeout_ms));
  job_ = nullptr;
  if (outcome.error) std::rethrow_exception(outcome.error);
  return std::move(outcome.result);
}

namespace {

constexpr int most_workers = 1024;
constexpr int longest_queue = 1 << 20;

void check(const Options& options) {
  const auto expect = [](bool fits, const std::string& what) {
    if (!fits) throw ConfigurationError("a pipeline needs " + what);
  };
  expect(options.workers >= 1 && options.workers <= most_workers,
         "1 to 1024 workers, got " + std::to_string(options.workers));
  expect(options.queue_size >= 1 && options.queue_size <= longest_queue,
         "a queue of 1 to 1048576 frames, got " + std::to_string(options.queue_size));
  for (const auto core : options.pin_to) {
    const auto count = static_cast<int>(std::thread::hardware_concurrency());
    expect(core >= 0 && (count == 0 || core < count), "to be pinned to cores of this machine, got core " +
                                                          std::to_string(core) + " in pin_to, there are " +
                                                          std::to_string(count));
  }
}

const Options& checked(const Options& options) {
  check(options);
  return options;
}

}  // namespace

struct Pipeline::State {
  State(WorkerFactory factory, const Options& options)
      : device_timeout_ms(checked(options).device_timeout_ms),
        flow(std::make_shared<Flow>(static_cast<std::size_t>(options.queue_size))),
        pool(std::make_shared<WorkerPool>(std::move(factory), options, flow)) {
    pool->start();
  }

  void close(bool finish, const Deadline& deadline) const;
  void shut_down() const;  // like close, but leaves behind what hangs

  const Process process;
  const int device_timeout_ms;
  const std::shared_ptr<Flow> flow;
  const std::shared_ptr<WorkerPool> pool;
};

void Pipeline::State::close(bool finish, const Deadline& deadline) const {
  if (!process.is_this()) return;
  if (finish) {
    flow->queue.close();
  } else {
    flow->completions.fail(
        flow->queue.close_and_withdraw(),
        std::make_exception_ptr(QueueClosedError("the pipeline was closed before this frame had its turn")));
  }
  pool->join(deadline);
}

void Pipeline::State::shut_down() const {
  if (!process.is_this()) return;
  constexpr int grace_ms = 1000;
  constexpr int unwatched_ms = 10'000;
  try {
    close(false, Deadline(device_timeout_ms > 0 ? device_timeout_ms + grace_ms : unwatched_ms));
  } catch (const TimeoutError&) {
    pool->abandon();
  }
}

Pipeline::Pipeline(WorkerFactory factory, const Options& options)
    : state_(std::make_unique<State>(std::move(factory), options)) {}

Pipeline::Pipeline(Pipeline&&) noexcept = default;

Pipeline& Pipeline::operator=(Pipeline&& other) noexcept {
  if (this == &other) return *this;
  const Pipeline closed(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

Pipeline::~Pipeline() {
  if (!state_) return;
  state_->shut_down();
  // In a forked child its threads, which nobody can join, seem to run: it is never destroyed there.
  if (!state_->process.is_this()) static_cast<void>(state_.release());
}

Ticket Pipeline::submit(Frame frame, int timeout_ms) {
  state_->process.require("pipeline");
  if (!frame) throw ConfigurationError("a frame without an image was submitted");
  auto& flow = *state_->flow;
  auto& job = flow.jobs.acquire();
  job.frame = std::move(frame);
  try {
    flow.queue.push(job, Deadline(timeout_ms));
  } catch (...) {
    job.frame.reset();
    flow.jobs.give_back(job);
    throw;
  }
  return {{state_->flow, &flow.completions}, &job};
}

std::uint64_t Pipeline::done() const { return state_->flow->completions.count(); }

bool Pipeline::wait_past(std::uint64_t seen, int timeout_ms) const {
  return state_->flow->completions.wait_past(seen, Deadline(timeout_ms));
}

void Pipeline::drain(int timeout_ms) { state_->flow->completions.drain(Deadline(timeout_ms)); }
void Pipeline::close(bool finish, int timeout_ms) { state_->close(finish, Deadline(timeout_ms)); }

const std::vector<TensorInfo>& Pipeline::inputs() const { return state_->pool->inputs(); }
const std::vector<TensorInfo>& Pipeline::results() const { return state_->pool->results(); }
std::size_t Pipeline::in_flight_limit() const {
  return state_->flow->queue.capacity() + state_->pool->frames_in_work();
}

Stats Pipeline::stats() const {
  state_->process.require("pipeline");
  return state_->flow->statistics.stats();
}

void Pipeline::reset_stats() {
  state_->process.require("pipeline");
  state_->flow->statistics.reset();
}

}  // namespace nerone::pipeline
