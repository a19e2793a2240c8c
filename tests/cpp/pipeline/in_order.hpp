#pragma once

#include <deque>
#include <exception>
#include <mutex>
#include <nerone/error.hpp>
#include <nerone/pipeline.hpp>
#include <utility>

#include "pipeline/batched_condition.hpp"

namespace nerone::pipeline::testing {

struct Outcome {
  std::uint64_t frame = 0;  // counts from 0
  Result result;
  std::exception_ptr error;
};

// Hands frames from one thread to another in their order, as `map` does in Python: a queue of tickets, no longer than
// the pipeline's in_flight_limit.
class InOrder {
 public:
  explicit InOrder(Pipeline& pipeline) : pipeline_(pipeline) {}

  void put(Frame frame, int timeout_ms) {
    std::unique_lock lock(mutex_);
    const auto has_room = [&] { return closed_ || in_flight() < pipeline_.in_flight_limit(); };
    if (!room_.wait(lock, Deadline(timeout_ms), may_be_late, has_room)) throw TimeoutError("no room");
    lock.unlock();
    auto ticket = pipeline_.submit(std::move(frame), timeout_ms);  // by the one thread that puts
    lock.lock();
    tickets_.push_back(std::move(ticket));
    if (there_.must_notify(false)) there_.notify();
  }

  Outcome get(int timeout_ms) {
    std::unique_lock lock(mutex_);
    const auto is_there = [&] { return !tickets_.empty(); };
    if (!there_.wait(lock, Deadline(timeout_ms), may_be_late, is_there)) throw TimeoutError("no frame");
    auto ticket = std::move(tickets_.front());
    tickets_.pop_front();
    collecting_ = 1;
    lock.unlock();
    Outcome outcome{next_++, {}, nullptr};
    try {
      outcome.result = ticket.wait(timeout_ms);
    } catch (...) {
      outcome.error = std::current_exception();
    }
    lock.lock();
    collecting_ = 0;
    if (room_.must_notify(2 * in_flight() > pipeline_.in_flight_limit())) room_.notify();
    return outcome;
  }

  // Closes the pipeline, and lets put() find that it is closed.
  void close(bool finish, int timeout_ms) {
    pipeline_.close(finish, timeout_ms);
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify();
  }

 private:
  static bool may_be_late() { return true; }
  std::size_t in_flight() const { return tickets_.size() + collecting_; }

  Pipeline& pipeline_;
  std::mutex mutex_;
  BatchedCondition room_, there_;
  std::deque<Ticket> tickets_;
  std::size_t collecting_ = 0;
  std::uint64_t next_ = 0;
  bool closed_ = false;
};

}  // namespace nerone::pipeline::testing
