#include "softdpu/portable/moves.hpp"

#include <cstring>

#include "softdpu/portable/pixels.hpp"

namespace nerone::softdpu::portable {

namespace {

class ConcatKernel final : public StepKernel {
 public:
  explicit ConcatKernel(const Concat& concat) : concat_(concat) {
    for (const int shift : concat.shifts) narrows_.push_back(*narrow({}, shift));
  }

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
    auto* destination = static_cast<std::int8_t*>(output);
    for (std::size_t i = 0; i < narrows_.size(); ++i) {
      const auto* source = static_cast<const std::int8_t*>(inputs[i]);
      const auto block = concat_.input_blocks[i];
      if (concat_.shifts[i] == 0) {
        copy_blocks(source, block, destination, concat_.output_block, block, concat_.outer);
      } else {
        for (std::int64_t row = 0; row < concat_.outer; ++row) {
          requantize(source + row * block, block, narrows_[i], destination + row * concat_.output_block);
        }
      }
      destination += block;
    }
  }

 private:
  Concat concat_;
  std::vector<Narrow> narrows_;
};

class DownsampleKernel final : public StepKernel {
 public:
  explicit DownsampleKernel(const Downsample& downsample) : op_(downsample), narrow_(*narrow({}, downsample.shift)) {}

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
    const auto& in = op_.input;
    const auto& out = op_.output;
    const auto row_size = out.width * out.channels;
    auto* row = static_cast<std::int8_t*>(output);
    for (std::int64_t n = 0; n < out.batch; ++n) {
      for (std::int64_t y = 0; y < out.height; ++y, row += row_size) {
        const auto* source =
            static_cast<const std::int8_t*>(inputs[0]) + (n * in.height + y * op_.step_h) * in.width * in.channels;
        copy_blocks(source, op_.step_w * in.channels, row, in.channels, in.channels, out.width);
        if (op_.shift != 0) requantize_in_place(row, row_size, narrow_);
      }
    }
  }

 private:
  Downsample op_;
  Narrow narrow_;
};

class TileKernel final : public StepKernel {
 public:
  explicit TileKernel(const Tile& tile) : op_(tile) {}

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
    const auto& coarse = op_.coarse;
    // The values that one coarse pixel gives to one fine row are adjacent in both.
    const auto run = op_.step * op_.fine.channels;
    const auto* source = static_cast<const std::int8_t*>(inputs[0]);
    auto* destination = static_cast<std::int8_t*>(output);
    for (std::int64_t row = 0; row < op_.fine.batch * op_.fine.height; ++row) {
      const auto at = row / op_.step * coarse.width * coarse.channels + row % op_.step * run;
      const auto fine_at = row * coarse.width * run;
      if (op_.to_space) {
        copy_blocks(source + at, coarse.channels, destination + fine_at, run, run, coarse.width);
      } else {
        copy_blocks(source + fine_at, run, destination + at, coarse.channels, run, coarse.width);
      }
    }
  }

 private:
  Tile op_;
};

// Whole factors are repeated pixel by pixel, and rows that show the same source row are copied.
class NearestKernel final : public StepKernel {
 public:
  explicit NearestKernel(const Upsample& upsample) : op_(upsample), narrow_(*narrow({}, upsample.shift)) {
    const auto factor = op_.output.width / op_.input.width;
    bool whole = factor * op_.input.width == op_.output.width;
    for (std::size_t x = 0; x < op_.columns.size(); ++x) {
      whole = whole && op_.columns[x].low == static_cast<std::int64_t>(x) / factor;
    }
    factor_ = whole ? factor : 0;
  }

  void run(KernelState*, const void* const* inputs, void* output, void*) const override {
    const auto row_size = op_.output.width * op_.output.channels;
    const auto source_size = op_.input.width * op_.input.channels;
    auto* row = static_cast<std::int8_t*>(output);
    for (std::int64_t n = 0; n < op_.output.batch; ++n) {
      const auto* image = static_cast<const std::int8_t*>(inputs[0]) + n * op_.input.height * source_size;
      for (std::size_t y = 0; y < op_.rows.size(); ++y, row += row_size) {
        if (y > 0 && op_.rows[y].low == op_.rows[y - 1].low) {
          std::memcpy(row, row - row_size, static_cast<std::size_t>(row_size));
          continue;
        }
        spread_row(image + op_.rows[y].low * source_size, row);
        if (op_.shift != 0) requantize_in_place(row, row_size, narrow_);
      }
    }
  }

 private:
  void spread_row(const std::int8_t* source, std::int8_t* row) const {
    const auto channels = op_.input.channels;
    for (std::int64_t k = 0; k < factor_; ++k) {
      copy_blocks(source, channels, row + k * channels, factor_ * channels, channels, op_.input.width);
    }
    if (factor_ != 0) return;
    for (const auto& column : op_.columns) {
      std::memcpy(row, source + column.low * channels, static_cast<std::size_t>(channels));
      row += channels;
    }
  }

  Upsample op_;
  Narrow narrow_;
  std::int64_t factor_ = 0;  // 0 where the width is not a whole multiple
};

}  // namespace

std::unique_ptr<StepKernel> make_concat(const Concat& concat) { return std::make_unique<ConcatKernel>(concat); }

std::unique_ptr<StepKernel> make_downsample(const Downsample& downsample) {
  return std::make_unique<DownsampleKernel>(downsample);
}

std::unique_ptr<StepKernel> make_tile(const Tile& tile) { return std::make_unique<TileKernel>(tile); }

std::unique_ptr<StepKernel> make_upsample(const Upsample& upsample) {
  return upsample.bilinear ? nullptr : std::make_unique<NearestKernel>(upsample);
}

}  // namespace nerone::softdpu::portable
