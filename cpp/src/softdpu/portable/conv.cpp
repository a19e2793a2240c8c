#include "softdpu/portable/conv.hpp"

#include <utility>

#include "softdpu/portable/conv_plan.hpp"
#include "softdpu/portable/conv_rows.hpp"

namespace nerone::softdpu::portable {

namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::int16_t weight(const Conv& conv, std::int64_t filter, int ky, int kx, std::int64_t channel) {
  const auto& window = conv.window;
  const auto index = ((filter * window.kernel_h + ky) * window.kernel_w + kx) * conv.input.channels + channel;
  return (*conv.weights)[static_cast<std::size_t>(index)];
}

using Packed = std::vector<std::int16_t>;

Packed pack_dense(const Conv& conv, const AxisPlan& rows, const AxisPlan& columns, std::int64_t padded_channels) {
  const auto lanes = conv_lanes();
  Packed packed;
  for (std::int64_t first = 0; first < conv.output.channels; first += 2 * lanes) {
    const auto width = conv.output.channels - first > lanes ? 2 * lanes : lanes;
    for (const int ky : rows.taps) {
      for (const int kx : columns.taps) {
        for (std::int64_t c = 0; c < padded_channels; c += 2) {
          for (std::int64_t o = first; o < first + width; ++o) {
            for (std::int64_t k = c; k < c + 2; ++k) {
              const bool inside = o < conv.output.channels && k < conv.input.channels;
              packed.push_back(inside ? weight(conv, o, ky, kx, k) : std::int16_t{0});
            }
          }
        }
      }
    }
  }
  return packed;
}

Packed pack_depthwise(const Conv& conv, const AxisPlan& rows, const AxisPlan& columns, std::int64_t padded_channels) {
  Packed packed;
  for (const int ky : rows.taps) {
    for (const int kx : columns.taps) {
      for (std::int64_t c = 0; c < padded_channels; ++c) {
        packed.push_back(c < conv.input.channels ? weight(conv, 0, ky, kx, c) : std::int16_t{0});
      }
    }
  }
  return packed;
}

class ConvKernel final : public StepKernel {
 public:
  ConvKernel(const Conv& conv, const Narrow& narrow)
      : conv_(conv), rows_(plan_rows(conv)), columns_(plan_columns(conv)) {
    padded_ = pad_rows(conv, columns_, conv.depthwise ? conv_lanes() : 2);
    job_.narrow = narrow;
    job_.input_channels = padded_.channels;
    job_.output_channels = conv.output.channels;
    const auto channels = round_up(conv.output.channels, 2 * conv_lanes());
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      doubled_bias_.push_back(channel < conv.output.channels ? static_cast<std::int32_t>(conv.doubled_bias(channel))
                                                             : 0);
    }
    for (auto& columns : columns_) {
      for (auto& offset : columns.offsets) offset *= padded_.channels;
      for (const auto& rows : rows_) {
        weights_.push_back(conv.depthwise ? pack_depthwise(conv, rows, columns, padded_.channels)
                                          : pack_dense(conv, rows, columns, padded_.channels));
      }
    }
  }

  std::size_t scratch_bytes() const override { return row_table_bytes() + padded_.size_bytes(); }

  void run(KernelState*, const void* const* inputs, void* output, void* scratch) const override {
    const auto* input = static_cast<const std::int8_t*>(inputs[0]);
    auto* result = static_cast<std::int8_t*>(output);
    auto* table = static_cast<const std::int16_t**>(scratch);
    auto* rows = reinterpret_cast<std::int16_t*>(static_cast<char*>(scratch) + row_table_bytes());
    for (std::int64_t image = 0; image < conv_.input.batch; ++image) {
      widen_image(input + image * conv_.input.element_count() / conv_.input.batch, rows);
      run_image(rows, table, result + image * conv_.output.element_count() / conv_.output.batch);
    }
  }

 private:
  std::size_t row_table_bytes() const { return (static_cast<std::size_t>(conv_.window.kernel_h) * 8 + 63) / 64 * 64; }

  void widen_image(const std::int8_t* image, std::int16_t* rows) const {
    const auto width = conv_.input.width, channels = conv_.input.channels;
    std::fill_n(rows, (padded_.height + 1) * padded_.row_elements(), std::int16_t{0});
    for (std::int64_t y = 0; y < padded_.height; ++y) {
      auto* row = rows + y * padded_.row_elements() + padded_.left * padded_.channels;
      if (channels == padded_.channels) {
        widen(image + y * width * channels, width * channels, row);
        continue;
      }
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t c = 0; c < channels; ++c)
          row[x * padded_.channels + c] = image[(y * width + x) * channels + c];
      }
    }
  }

  void run_image(const std::int16_t* rows, const std::int16_t** table, std::int8_t* output) const {
    auto weights = weights_.begin();
    RowJob job = job_;
    job.rows = table;
    job.doubled_bias = doubled_bias_.data();
    for (const auto& columns : columns_) {
      job.kernel_columns = static_cast<std::int64_t>(columns.taps.size());
      job.column_offsets = columns.offsets.data();
      job.input_step = columns.input_step * padded_.channels;
      job.pixels = columns.count;
      job.output_step = columns.step * conv_.output.channels;
      for (const auto& row_plan : rows_) {
        job.weights = weights++->data();
        run_rows(row_plan, rows, table, output + columns.first * conv_.output.channels, job);
      }
    }
  }

  void run_rows(const AxisPlan& plan, const std::int16_t* rows, const std::int16_t** table, std::int8_t* output,
                RowJob& job) const {
    job.kernel_rows = static_cast<std::int64_t>(plan.taps.size());
    for (std::int64_t i = 0; i < plan.count; ++i) {
      for (std::size_t k = 0; k < plan.offsets.size(); ++k) {
        table[k] = padded_.row(rows, i * plan.input_step + plan.offsets[k]);
      }
      job.output = output + (plan.first + i * plan.step) * conv_.output.width * conv_.output.channels;
      conv_.depthwise ? depthwise_row(job) : dense_row(job);
    }
  }

  Conv conv_;
  std::vector<AxisPlan> rows_, columns_;  // the columns' offsets are in int16, not pixels
  PaddedRows padded_;
  RowJob job_;
  std::vector<std::int32_t> doubled_bias_;
  std::vector<Packed> weights_;  // for each column plan, for each row plan
};

}  // namespace

std::unique_ptr<StepKernel> make_conv(const Conv& conv) {
  if (conv.depthwise && conv.multiplier != 1) return nullptr;
  std::int64_t bias_bound = 0;
  for (std::int64_t channel = 0; channel < conv.output.channels; ++channel) {
    bias_bound = std::max(bias_bound, std::abs(conv.doubled_bias(channel)));
  }
  const auto narrowed = narrow(conv.activation, conv.shift_cut + 1, 2 * conv.accumulator_bound() + bias_bound);
  if (!narrowed) return nullptr;
  return std::make_unique<ConvKernel>(conv, *narrowed);
}

}  // namespace nerone::softdpu::portable
