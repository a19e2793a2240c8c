#pragma once

#include <cstdint>
#include <nerone/tensor.hpp>
#include <utility>
#include <vart/tensor_buffer.hpp>
#include <vector>

#include "base/aligned_buffer.hpp"

namespace nerone::softdpu {

// A runner's own buffer: 64-byte aligned host memory, which needs no synchronisation.
class OwnBuffer final : public vart::TensorBuffer {
 public:
  OwnBuffer(const xir::Tensor* tensor, const TensorInfo& info);

  // (0, 0) for an index outside the tensor.
  std::pair<std::uint64_t, std::size_t> data(const std::vector<std::int32_t> index = {}) override;
  void* memory() { return memory_.data(); }

 private:
  std::vector<std::int64_t> shape_;
  std::size_t item_bytes_;
  std::size_t size_bytes_;
  AlignedBuffer memory_;
};

// A buffer that a caller handed in for one of the runner's tensors.
struct BoundBuffer {
  vart::TensorBuffer* buffer = nullptr;
  DType dtype = DType::int8;
  std::int64_t runs = 1;   // how many times the tensor's shape it holds, along the batch
  std::int64_t batch = 1;  // the tensor's own first extent
  std::size_t rank = 4;

  // The memory of the given run. ShapeError where the buffer is smaller than its tensor says.
  void* memory(std::int64_t run, std::size_t size_bytes) const;
};

// Finds each tensor's buffer by the tensor's name (as VART does, one name may be part of the other), in the order of
// `tensors`. ShapeError and DtypeError say what does not fit.
std::vector<BoundBuffer> bind(const std::vector<vart::TensorBuffer*>& buffers, const std::vector<TensorInfo>& tensors,
                              const char* kind);

}  // namespace nerone::softdpu
