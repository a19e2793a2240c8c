#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace nerone::test {

// Bytes between two pages that nobody may touch: a kernel that reads or writes beyond them dies at once. The size is
// rounded up to whole cache lines; the bytes end at the upper page or begin behind the lower one.
class GuardedBuffer {
 public:
  enum class Side { lower, upper };

  GuardedBuffer(std::size_t size_bytes, Side side, std::uint8_t content = 0xA5) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t rounded = (size_bytes + 63) / 64 * 64;
    const std::size_t pages = (rounded + page - 1) / page * page;
    total_ = pages + 2 * page;
    void* const at = mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("mmap failed");
    base_ = static_cast<std::uint8_t*>(at);
    if (mprotect(base_ + page, pages, PROT_READ | PROT_WRITE) != 0) throw std::runtime_error("mprotect failed");
    data_ = side == Side::lower ? base_ + page : base_ + page + pages - rounded;
    for (std::size_t i = 0; i < rounded; ++i) data_[i] = content;
  }
  ~GuardedBuffer() { munmap(base_, total_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  std::uint8_t* data() { return data_; }

 private:
  std::uint8_t* base_ = nullptr;
  std::uint8_t* data_ = nullptr;
  std::size_t total_ = 0;
};

}  // namespace nerone::test
