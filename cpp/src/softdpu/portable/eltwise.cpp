#include "softdpu/portable/eltwise.hpp"

#include <algorithm>

#include "softdpu/portable/pixels.hpp"

namespace nerone::softdpu::portable {

namespace {

class EltwiseKernel final : public StepKernel {
 public:
  EltwiseKernel(const Eltwise& eltwise, const Narrow& narrow)
      : eltwise_(eltwise), count_(eltwise.element_count()), narrow_(narrow) {}

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
    // Few enough for the first-level cache.
    constexpr std::int64_t chunk = 2048;
    std::int32_t results[chunk];
    for (std::int64_t first = 0; first < count_; first += chunk) {
      const auto size = std::min(chunk, count_ - first);
      combine(inputs, first, size, results);
      narrow_all(results, size, 1, narrow_, static_cast<std::int8_t*>(output) + first);
    }
  }

 private:
  void combine(const void* const* inputs, std::int64_t first, std::int64_t size, std::int32_t* results) const {
    const bool is_add = eltwise_.kind == Eltwise::Kind::add;
    std::fill_n(results, size, is_add ? 0 : 1);
    for (std::size_t i = 0; i < eltwise_.input_strides.size(); ++i) {
      const auto* input = static_cast<const std::int8_t*>(inputs[i]) + first;
      if (is_add) {
        accumulate_shifted(input, size, std::min(eltwise_.input_shifts[i], 31), results);
      } else {
        multiply(input, size, results);
      }
    }
  }

  Eltwise eltwise_;
  std::int64_t count_;
  Narrow narrow_;
};

}  // namespace

std::unique_ptr<StepKernel> make_eltwise(const Eltwise& eltwise) {
  // Four factors reach 2^28.
  const bool fits = eltwise.kind == Eltwise::Kind::add || eltwise.input_strides.size() <= 4;
  const auto narrowed = narrow(eltwise.activation, eltwise.shift);
  if (eltwise.broadcasts || !fits || !narrowed) return nullptr;
  return std::make_unique<EltwiseKernel>(eltwise, *narrowed);
}

}  // namespace nerone::softdpu::portable
