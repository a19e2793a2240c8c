#include <type_traits>
#include <utility>

#include "softdpu/portable/conv.hpp"
#include "softdpu/portable/eltwise.hpp"
#include "softdpu/portable/moves.hpp"
#include "softdpu/portable/pool.hpp"
#include "softdpu/scalar_engine.hpp"
#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu {

namespace {

class ReferenceKernel final : public StepKernel {
 public:
  explicit ReferenceKernel(Operation operation) : operation_(std::move(operation)) {}

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
    run_scalar(operation_, inputs, output);
  }

 private:
  Operation operation_;
};

std::unique_ptr<StepKernel> make_fast(const Operation& operation) {
  return std::visit(
      [](const auto& op) -> std::unique_ptr<StepKernel> {
        using T = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<T, Conv>) {
          return portable::make_conv(op);
        } else if constexpr (std::is_same_v<T, Pool>) {
          return portable::make_pool(op);
        } else if constexpr (std::is_same_v<T, Eltwise>) {
          return portable::make_eltwise(op);
        } else if constexpr (std::is_same_v<T, Concat>) {
          return portable::make_concat(op);
        } else if constexpr (std::is_same_v<T, Upsample>) {
          return portable::make_upsample(op);
        } else if constexpr (std::is_same_v<T, Downsample>) {
          return portable::make_downsample(op);
        } else if constexpr (std::is_same_v<T, Tile>) {
          return portable::make_tile(op);
        } else {
          return nullptr;
        }
      },
      operation);
}

}  // namespace

std::unique_ptr<StepKernel> make_portable_kernel(const Operation& operation) {
  auto kernel = make_fast(operation);
  return kernel ? std::move(kernel) : std::make_unique<ReferenceKernel>(operation);
}

}  // namespace nerone::softdpu
