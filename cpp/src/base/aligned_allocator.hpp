#pragma once

#include <cstddef>
#include <new>

#include "base/aligned_buffer.hpp"

namespace nerone {

// For vectors whose elements begin where an AlignedBuffer would.
template <typename T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <typename Other>
  AlignedAllocator(const AlignedAllocator<Other>& /*other*/) noexcept {}

  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{AlignedBuffer::alignment}));
  }
  void deallocate(T* memory, std::size_t /*count*/) noexcept {
    ::operator delete (memory, std::align_val_t{AlignedBuffer::alignment});
  }

  template <typename Other>
  bool operator==(const AlignedAllocator<Other>& /*other*/) const noexcept {
    return true;
  }
  template <typename Other>
  bool operator!=(const AlignedAllocator<Other>& /*other*/) const noexcept {
    return false;
  }
};

}  // namespace nerone
