#include "pipeline/result_pool.hpp"

#include <algorithm>
#include <nerone/error.hpp>

namespace nerone::pipeline {

namespace {

// More free buffers than this are released again: a consumer once held many.
constexpr std::size_t most_free = 256;
constexpr std::size_t most_prepared = 64;

}  // namespace

Result::Result(std::shared_ptr<ResultPool> pool, std::unique_ptr<Buffer> buffer)
    : pool_(std::move(pool)), buffer_(std::move(buffer)) {}
Result::Result() noexcept = default;
Result::Result(Result&&) noexcept = default;

Result& Result::operator=(Result&& other) noexcept {
  if (this == &other) return *this;
  if (buffer_) pool_->give_back(std::move(buffer_));
  pool_ = std::move(other.pool_);
  buffer_ = std::move(other.buffer_);
  return *this;
}

Result::~Result() {
  if (buffer_) pool_->give_back(std::move(buffer_));
}

const std::vector<TensorView>& Result::outputs() const {
  if (!buffer_) throw ConfigurationError("this result is empty: it was moved from, or its frame failed");
  return buffer_->outputs;
}

std::unique_ptr<Result::Buffer> ResultPool::new_buffer() const {
  auto buffer = std::make_unique<Result::Buffer>();
  for (const auto& info : infos_) {
    auto bytes = size_of(info.dtype);
    for (const auto extent : info.shape) bytes *= static_cast<std::size_t>(extent);
    buffer->memory.emplace_back(bytes);
    buffer->outputs.push_back(TensorView::contiguous(buffer->memory.back().data(), info.dtype, info.shape));
  }
  return buffer;
}

void ResultPool::prepare(std::size_t buffers) {
  for (std::size_t i = 0; i < std::min(buffers, most_prepared); ++i) give_back(new_buffer());
}

Result ResultPool::acquire() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto buffer = std::move(free_.back());
      free_.pop_back();
      return {shared_from_this(), std::move(buffer)};
    }
  }
  return {shared_from_this(), new_buffer()};
}

void ResultPool::give_back(std::unique_ptr<Result::Buffer> buffer) {
  if (!process_.is_this()) return;  // a forked child: the lock may be held for ever
  const std::lock_guard lock(mutex_);
  if (free_.capacity() == 0) free_.reserve(most_free);
  if (free_.size() < most_free) free_.push_back(std::move(buffer));
}

}  // namespace nerone::pipeline
