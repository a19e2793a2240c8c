#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace nerone {

// Owns zero-filled bytes that start on a 64-byte boundary (a cache line, and a full AVX-512 register).
class AlignedBuffer {
 public:
  static constexpr std::size_t alignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size_bytes)
      : bytes_(static_cast<std::uint8_t*>(::operator new (size_bytes, std::align_val_t{alignment}))),
        size_bytes_(size_bytes) {
    for (std::size_t i = 0; i < size_bytes; ++i) bytes_[i] = 0;
  }

  std::uint8_t* data() { return bytes_.get(); }
  const std::uint8_t* data() const { return bytes_.get(); }
  std::size_t size() const { return size_bytes_; }

 private:
  struct Free {
    void operator()(std::uint8_t* bytes) const { ::operator delete (bytes, std::align_val_t{alignment}); }
  };
  std::unique_ptr<std::uint8_t[], Free> bytes_;
  std::size_t size_bytes_ = 0;
};

}  // namespace nerone
