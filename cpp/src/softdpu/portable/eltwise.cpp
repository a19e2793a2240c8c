#include "softdpu/portable/eltwise.hpp"

#include <algorithm>

#include "softdpu/portable/pixels.hpp"

namespace nerone::softdpu::portable {

namespace {

constexpr std::int64_t chunk = 2048;  // few enough for the first-level cache

// Whether an input has the output's shape.
bool is_whole(const Eltwise& eltwise, const Shape& strides) {
  std::int64_t step = 1;
  for (std::size_t axis = strides.size(); axis-- > 0; step *= eltwise.output_shape[axis]) {
    if (eltwise.output_shape[axis] != 1 && strides[axis] != step) return false;
  }
  return true;
}

class EltwiseKernel final : public StepKernel {
 public:
  EltwiseKernel(const Eltwise& eltwise, const Narrow& narrow)
      : eltwise_(eltwise), count_(eltwise.element_count()), narrow_(narrow) {
    for (const auto& strides : eltwise.input_strides) is_whole_.push_back(is_whole(eltwise, strides));
  }

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
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
      const auto* input = static_cast<const std::int8_t*>(inputs[i]);
      std::int8_t repeated[chunk];
      if (is_whole_[i]) {
        input += first;
      } else {
        repeat(eltwise_.input_strides[i], input, first, size, repeated);
        input = repeated;
      }
      if (is_add) {
        accumulate_shifted(input, size, std::min(eltwise_.input_shifts[i], 31), results);
      } else {
        multiply(input, size, results);
      }
    }
  }

  // Elements of the output from `first` on, of an input that is repeated along some axes.
  void repeat(const Shape& strides, const std::int8_t* input, std::int64_t first, std::int64_t size,
              std::int8_t* to) const {
    const auto channels = eltwise_.output_shape.back();
    auto pixel = first / channels;
    for (std::int64_t channel = first % channels; size > 0; channel = 0, ++pixel) {
      const auto length = std::min(channels - channel, size);
      const auto* const from = input + offset_of(strides, pixel);
      if (strides.back() == 0) {
        std::fill_n(to, length, *from);
      } else {
        std::copy_n(from + channel, length, to);
      }
      to += length;
      size -= length;
    }
  }

  // Of a pixel's first channel; pixels are all axes but the last.
  std::int64_t offset_of(const Shape& strides, std::int64_t pixel) const {
    std::int64_t offset = 0;
    for (std::size_t axis = strides.size() - 1; axis-- > 0; pixel /= eltwise_.output_shape[axis]) {
      offset += pixel % eltwise_.output_shape[axis] * strides[axis];
    }
    return offset;
  }

  Eltwise eltwise_;
  std::int64_t count_;
  Narrow narrow_;
  std::vector<bool> is_whole_;  // by input; the others are repeated
};

}  // namespace

std::unique_ptr<StepKernel> make_eltwise(const Eltwise& eltwise) {
  // Four factors reach 2^28.
  const bool fits = eltwise.kind == Eltwise::Kind::add || eltwise.input_strides.size() <= 4;
  const auto narrowed = narrow(eltwise.activation, eltwise.shift);
  if (!fits || !narrowed || eltwise.output_shape.empty()) return nullptr;
  return std::make_unique<EltwiseKernel>(eltwise, *narrowed);
}

}  // namespace nerone::softdpu::portable
