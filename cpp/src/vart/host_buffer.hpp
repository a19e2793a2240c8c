#pragma once

#include <cstdint>
#include <memory>
#include <nerone/tensor.hpp>
#include <utility>
#include <vart/tensor_buffer.hpp>
#include <vector>

namespace xir {
class Tensor;
}

namespace nerone::vart {

// Gives VART a caller's dense memory under the name of one of the runner's tensors. Owns the tensor, not the memory.
class HostBuffer : public ::vart::TensorBuffer {
 public:
  static std::unique_ptr<HostBuffer> create(const TensorInfo& port, const TensorView& view);
  ~HostBuffer() override;

  std::pair<std::uint64_t, std::size_t> data(const std::vector<std::int32_t> index = {}) override;

 private:
  HostBuffer(std::shared_ptr<xir::Tensor> tensor, const TensorView& view);

  std::shared_ptr<xir::Tensor> owned_tensor_;
  TensorView view_;
};

}  // namespace nerone::vart
