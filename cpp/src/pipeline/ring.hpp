#pragma once

#include <cstddef>
#include <vector>

namespace nerone::pipeline {

// A first-in first-out list of fixed capacity that allocates once.
template <typename T>
class Ring {
 public:
  explicit Ring(std::size_t capacity) : items_(capacity) {}

  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == items_.size(); }
  std::size_t capacity() const { return items_.size(); }
  std::size_t size() const { return count_; }
  const T& front() const { return items_[first_]; }
  void push(T item) { items_[(first_ + count_++) % items_.size()] = item; }
  T pop() {
    const T item = items_[first_];
    first_ = (first_ + 1) % items_.size();
    --count_;
    return item;
  }

 private:
  std::vector<T> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace nerone::pipeline
