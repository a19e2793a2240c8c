#include "softdpu/portable/pool.hpp"

#include <algorithm>
#include <utility>

#include "softdpu/portable/pixels.hpp"

namespace nerone::softdpu::portable {

namespace {

struct Span {
  std::int64_t begin, end;
};

// The part of output coordinate `out`'s window that lies inside the image.
Span clip(std::int64_t out, int stride, int kernel, int pad, std::int64_t extent) {
  const auto begin = out * stride - pad;
  return {std::clamp<std::int64_t>(begin, 0, extent), std::clamp<std::int64_t>(begin + kernel, 0, extent)};
}

class PoolKernel : public StepKernel {
 public:
  PoolKernel(const Pool& pool, const Narrow& narrow) : pool_(pool), narrow_(narrow) {}

  void run(KernelState*, const void* const* inputs, void* output, void* scratch) const override {
    const auto& in = pool_.input;
    const auto& out = pool_.output;
    const auto& window = pool_.window;
    const auto* image = static_cast<const std::int8_t*>(inputs[0]);
    auto* row = static_cast<std::int8_t*>(output);
    for (std::int64_t n = 0; n < out.batch; ++n) {
      for (std::int64_t y = 0; y < out.height; ++y) {
        pool_row(image, clip(y, window.stride_h, window.kernel_h, window.pad_top, in.height), row, scratch);
        row += out.width * out.channels;
      }
      image += in.height * in.width * in.channels;
    }
  }

 protected:
  virtual void pool_row(const std::int8_t* image, Span rows, std::int8_t* output, void* scratch) const = 0;

  Pool pool_;
  Narrow narrow_;
};

// First down the columns of a whole row, then along it.
class MaxPool final : public PoolKernel {
 public:
  using PoolKernel::PoolKernel;

  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(pool_.input.width * pool_.input.channels);
  }

 private:
  void pool_row(const std::int8_t* image, Span rows, std::int8_t* output, void* scratch) const override {
    const auto channels = pool_.input.channels;
    const auto size = pool_.input.width * channels;
    auto* tallest = static_cast<std::int8_t*>(scratch);
    std::fill_n(tallest, size, std::int8_t{-128});
    for (auto y = rows.begin; y < rows.end; ++y) maximum(image + y * size, size, tallest);
    const auto output_size = pool_.output.width * channels;
    std::fill_n(output, output_size, std::int8_t{-128});
    const auto& window = pool_.window;
    for (int kx = 0; kx < window.kernel_w; ++kx) {
      const auto offset = kx - window.pad_left;
      // Output pixels whose tap kx lies inside the row.
      const auto first = offset >= 0 ? 0 : (-offset + window.stride_w - 1) / window.stride_w;
      const auto last =
          std::min(pool_.output.width, (pool_.input.width - offset + window.stride_w - 1) / window.stride_w);
      if (first >= last) continue;
      maximum_pixels(tallest + (first * window.stride_w + offset) * channels, window.stride_w * channels, last - first,
                     channels, output + first * channels);
    }
    if (pool_.shift != 0) requantize_in_place(output, output_size, narrow_);
  }
};

class AveragePool final : public PoolKernel {
 public:
  using PoolKernel::PoolKernel;

  std::size_t scratch_bytes() const override { return static_cast<std::size_t>(pool_.input.channels) * 4; }

 private:
  void pool_row(const std::int8_t* image, Span rows, std::int8_t* output, void* scratch) const override {
    const auto channels = pool_.input.channels;
    const auto& window = pool_.window;
    auto* sums = static_cast<std::int32_t*>(scratch);
    for (std::int64_t x = 0; x < pool_.output.width; ++x) {
      const auto columns = clip(x, window.stride_w, window.kernel_w, window.pad_left, pool_.input.width);
      std::fill_n(sums, channels, 0);
      for (auto iy = rows.begin; iy < rows.end; ++iy) {
        for (auto ix = columns.begin; ix < columns.end; ++ix) {
          accumulate(image + (iy * pool_.input.width + ix) * channels, channels, sums);
        }
      }
      narrow_all(sums, channels, static_cast<std::int32_t>(pool_.factor), narrow_, output + x * channels);
    }
  }
};

}  // namespace

std::unique_ptr<StepKernel> make_pool(const Pool& pool) {
  const auto narrowed = *narrow({}, pool.shift);
  if (pool.kind == Pool::Kind::max) return std::make_unique<MaxPool>(pool, narrowed);
  const auto area = static_cast<std::int64_t>(pool.window.kernel_h) * pool.window.kernel_w;
  if (area > 1 << 20 || 128 * area * pool.factor >= std::int64_t{1} << 30) return nullptr;
  return std::make_unique<AveragePool>(pool, narrowed);
}

}  // namespace nerone::softdpu::portable
