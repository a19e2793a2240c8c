// A VART runner library for the tests. The option `kernels` says how it behaves; otherwise it copies inputs to outputs.

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vart/runner_ext.hpp>
#include <vector>

#include "xmodel/boundary.hpp"
#include "xmodel/describe.hpp"
#include "xmodel/device_objects.hpp"

namespace {

using Tensors = std::vector<std::shared_ptr<xir::Tensor>>;

class Buffer : public vart::TensorBuffer {
 public:
  Buffer(const xir::Tensor* tensor, std::string behaviour)
      : TensorBuffer(tensor), behaviour_(std::move(behaviour)), bytes_(4096) {}

  std::pair<std::uint64_t, std::size_t> data(const std::vector<std::int32_t>) override {
    if (behaviour_ == "no memory") return {0, 0};
    return {reinterpret_cast<std::uint64_t>(bytes_.data()), behaviour_ == "short memory" ? 1 : bytes_.size()};
  }
  void sync_for_write(std::uint64_t, std::size_t size_bytes) override { written_bytes += size_bytes; }
  void sync_for_read(std::uint64_t, std::size_t size_bytes) override { read_bytes += size_bytes; }

  std::size_t written_bytes = 0, read_bytes = 0;

 private:
  std::string behaviour_;
  std::vector<char> bytes_;
};

class Echo : public vart::RunnerExt {
 public:
  Echo(const xir::Subgraph* subgraph, std::string behaviour) : behaviour_(std::move(behaviour)) {
    const auto boundary = nerone::xmodel::boundary_of(subgraph);
    inputs_ = buffers_of(boundary.inputs);
    outputs_ = buffers_of(behaviour_ == "no outputs" ? std::vector<const xir::Tensor*>{} : boundary.outputs);
  }

  std::pair<std::uint32_t, int> execute_async(const std::vector<vart::TensorBuffer*>& in,
                                              const std::vector<vart::TensorBuffer*>& out) override {
    if (behaviour_ == "throws in execute") throw std::runtime_error("the device is on fire");
    if (behaviour_ == "throws a number in execute") throw 7;
    if (behaviour_ == "throws at times" && ++asked_ % 4 == 0) throw std::runtime_error("the device is on fire");
    if (behaviour_ == "refuses") return {0, -5};
    const auto [from, from_bytes] = in.at(0)->data({});
    const auto [to, to_bytes] = out.at(0)->data({});
    std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), std::min(from_bytes, to_bytes));
    return {++jobs_, 0};
  }

  int wait(int, int timeout_ms) override {
    if (behaviour_ == "fails in wait") return 3;
    if (behaviour_ == "throws in wait") throw std::runtime_error("lost the job");
    // Late once: the job is done when it is asked for again.
    if (behaviour_ == "late" && late_) {
      late_ = false;
      std::this_thread::sleep_for(std::chrono::milliseconds(timeout_ms));
      return 1;
    }
    return 0;
  }

  std::vector<const xir::Tensor*> get_input_tensors() override { return tensors_of(inputs_); }
  std::vector<const xir::Tensor*> get_output_tensors() override { return tensors_of(outputs_); }
  std::vector<vart::TensorBuffer*> get_inputs() override { return pointers_of(inputs_); }
  std::vector<vart::TensorBuffer*> get_outputs() override { return pointers_of(outputs_); }

 private:
  using Buffers = std::vector<std::unique_ptr<Buffer>>;

  Buffers buffers_of(const std::vector<const xir::Tensor*>& tensors) const {
    Buffers buffers;
    for (const auto* tensor : tensors) buffers.push_back(std::make_unique<Buffer>(tensor, behaviour_));
    return buffers;
  }
  static std::vector<const xir::Tensor*> tensors_of(const Buffers& buffers) {
    std::vector<const xir::Tensor*> tensors;
    for (const auto& buffer : buffers) tensors.push_back(buffer->get_tensor());
    return tensors;
  }
  static std::vector<vart::TensorBuffer*> pointers_of(const Buffers& buffers) {
    std::vector<vart::TensorBuffer*> pointers;
    for (const auto& buffer : buffers) pointers.push_back(buffer.get());
    return pointers;
  }

  std::string behaviour_;
  Buffers inputs_, outputs_;
  std::uint32_t jobs_ = 0, asked_ = 0;
  bool late_ = true;
};

// A runner that is no vart::RunnerExt.
class Plain : public vart::Runner {
 public:
  std::pair<std::uint32_t, int> execute_async(const std::vector<vart::TensorBuffer*>&,
                                              const std::vector<vart::TensorBuffer*>&) override {
    return {0, 0};
  }
  int wait(int, int) override { return 0; }
  std::vector<const xir::Tensor*> get_input_tensors() override { return {}; }
  std::vector<const xir::Tensor*> get_output_tensors() override { return {}; }
};

}  // namespace

extern "C" __attribute__((visibility("default"))) vart::Runner* create_runner_with_attrs(const xir::Subgraph* subgraph,
                                                                                         xir::Attrs* attrs) {
  const auto behaviour = nerone::xmodel::string_attr_or(attrs, "nerone_kernels", "");
  if (behaviour == "throws in create") throw std::runtime_error("no device left");
  if (behaviour == "throws a number in create") throw 7;
  if (behaviour == "creates nothing") return nullptr;
  if (behaviour == "plain runner") return new Plain();
  return new Echo(subgraph, behaviour);
}
