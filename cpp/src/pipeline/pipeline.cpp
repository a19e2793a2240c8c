#include <nerone/error.hpp>
#include <nerone/pipeline.hpp>
#include <utility>

#include "pipeline/core.hpp"

namespace nerone::pipeline {

Ticket::Ticket(Ticket&& other) noexcept : core_(std::move(other.core_)), job_(std::exchange(other.job_, nullptr)) {}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  if (job_ != nullptr) core_->give_up_result(job_);
  core_ = std::move(other.core_);
  job_ = std::exchange(other.job_, nullptr);
  return *this;
}

Ticket::~Ticket() {
  if (job_ != nullptr) core_->give_up_result(job_);
}

bool Ticket::ready() const { return job_ != nullptr && core_->ready(job_); }

Result Ticket::wait(int timeout_ms) {
  if (job_ == nullptr) throw ConfigurationError("this ticket is empty: its result was collected already");
  Outcome outcome = core_->wait(job_, Deadline(timeout_ms));
  job_ = nullptr;
  if (outcome.error) std::rethrow_exception(outcome.error);
  return std::move(outcome.result);
}

Pipeline::Pipeline(WorkerFactory factory, const Options& options)
    : core_(std::make_shared<Core>(std::move(factory), options)) {
  core_->start();
}

namespace {

void let_go(std::shared_ptr<Core> core) {
  if (!core) return;
  core->shut_down();
  // In a forked child its threads, which nobody can join, seem to run: it is never destroyed there.
  if (core->is_forked()) new std::shared_ptr<Core>(std::move(core));
}

}  // namespace

Pipeline::Pipeline(Pipeline&&) noexcept = default;

Pipeline& Pipeline::operator=(Pipeline&& other) noexcept {
  if (this == &other) return *this;
  let_go(std::move(core_));
  core_ = std::move(other.core_);
  return *this;
}

Pipeline::~Pipeline() { let_go(std::move(core_)); }

Ticket Pipeline::submit(Frame frame, int timeout_ms, Notify notify) {
  return {core_, core_->submit(std::move(frame), false, Deadline(timeout_ms), notify)};
}

void Pipeline::put(Frame frame, int timeout_ms) { core_->submit(std::move(frame), true, Deadline(timeout_ms), {}); }
Outcome Pipeline::get(int timeout_ms) { return core_->get(Deadline(timeout_ms)); }
void Pipeline::drain(int timeout_ms) { core_->drain(Deadline(timeout_ms)); }
void Pipeline::close(bool finish, int timeout_ms) { core_->close(finish, Deadline(timeout_ms)); }
const std::vector<TensorInfo>& Pipeline::inputs() const { return core_->inputs(); }
const std::vector<TensorInfo>& Pipeline::results() const { return core_->results(); }
std::size_t Pipeline::in_flight_limit() const { return core_->in_flight_limit(); }
Stats Pipeline::stats() const { return core_->stats(); }
void Pipeline::reset_stats() { core_->reset_stats(); }

}  // namespace nerone::pipeline
