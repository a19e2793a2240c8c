#include "softdpu/portable/conv.hpp"

#include <algorithm>
#include <cstdlib>

#include "softdpu/portable/conv_plan.hpp"
#include "softdpu/portable/conv_rows.hpp"

namespace nerone::softdpu::portable {

namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::int8_t weight(const Conv& conv, std::int64_t filter, int ky, int kx, std::int64_t channel) {
  const auto& window = conv.window;
  const auto index = ((filter * window.kernel_h + ky) * window.kernel_w + kx) * conv.input.channels + channel;
  return (*conv.weights)[static_cast<std::size_t>(index)];
}

template <class Element>
std::vector<Element> pack_dense(const Conv& conv, const AxisPlan& rows, const AxisPlan& columns,
                                std::int64_t padded_channels, const DenseLayout& layout) {
  std::vector<Element> packed;
  for (std::int64_t first = 0; first < conv.output.channels; first += layout.block()) {
    const auto width = layout.width(first, conv.output.channels);
    for (const int ky : rows.taps) {
      for (const int kx : columns.taps) {
        for (std::int64_t c = 0; c < padded_channels; c += layout.group) {
          for (std::int64_t o = first; o < first + width; ++o) {
            for (std::int64_t k = c; k < c + layout.group; ++k) {
              const bool inside = o < conv.output.channels && k < conv.input.channels;
              packed.push_back(inside ? weight(conv, o, ky, kx, k) : std::int8_t{0});
            }
          }
        }
      }
    }
  }
  return packed;
}

template <class Element>
std::vector<Element> pack_depthwise(const Conv& conv, const AxisPlan& rows, const AxisPlan& columns,
                                    std::int64_t padded_channels) {
  std::vector<Element> packed;
  for (const int ky : rows.taps) {
    for (const int kx : columns.taps) {
      for (std::int64_t c = 0; c < padded_channels; ++c) {
        packed.push_back(c < conv.input.channels ? weight(conv, 0, ky, kx, c) : std::int8_t{0});
      }
    }
  }
  return packed;
}

void copy_pixels(const std::int8_t* source, std::int64_t count, std::int16_t* destination) {
  widen(source, count, destination);
}
void copy_pixels(const std::int8_t* source, std::int64_t count, std::int8_t* destination) {
  std::copy_n(source, count, destination);
}

template <class Element>
class ConvKernel final : public StepKernel {
 public:
  ConvKernel(const Conv& conv, const Narrow& narrow, std::int64_t channel_multiple, const DenseKernel<Element>& kernel)
      : conv_(conv), row_kernel_(kernel.row), rows_(plan_rows(conv)), columns_(plan_columns(conv)) {
    padded_ = pad_rows(conv, columns_, channel_multiple);
    job_.narrow = narrow;
    job_.input_channels = padded_.channels;
    job_.output_channels = conv.output.channels;
    // Readable up to a whole block of whichever layout.
    const auto channels = round_up(conv.output.channels, std::max(2 * conv_lanes(), kernel.layout.block()));
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      doubled_bias_.push_back(channel < conv.output.channels ? static_cast<std::int32_t>(conv.doubled_bias(channel))
                                                             : 0);
    }
    for (auto& columns : columns_) {
      for (auto& offset : columns.offsets) offset *= padded_.channels;
      for (const auto& rows : rows_) {
        weights_.push_back(conv.depthwise ? pack_depthwise<Element>(conv, rows, columns, padded_.channels)
                                          : pack_dense<Element>(conv, rows, columns, padded_.channels, kernel.layout));
      }
    }
  }

  std::size_t scratch_bytes() const override {
    return row_table_bytes() + static_cast<std::size_t>(padded_.elements()) * sizeof(Element);
  }

  void run(KernelState*, const void* const* inputs, void* output, void* scratch) const override {
    const auto* input = static_cast<const std::int8_t*>(inputs[0]);
    auto* result = static_cast<std::int8_t*>(output);
    auto* table = static_cast<const Element**>(scratch);
    auto* rows = reinterpret_cast<Element*>(static_cast<char*>(scratch) + row_table_bytes());
    for (std::int64_t image = 0; image < conv_.input.batch; ++image) {
      pad_image(input + image * conv_.input.element_count() / conv_.input.batch, rows);
      run_image(rows, table, result + image * conv_.output.element_count() / conv_.output.batch);
    }
  }

 private:
  std::size_t row_table_bytes() const { return (static_cast<std::size_t>(conv_.window.kernel_h) * 8 + 63) / 64 * 64; }

  void pad_image(const std::int8_t* image, Element* rows) const {
    const auto width = conv_.input.width, channels = conv_.input.channels;
    std::fill_n(rows, padded_.elements(), Element{0});
    for (std::int64_t y = 0; y < padded_.height; ++y) {
      auto* row = rows + y * padded_.row_elements() + padded_.left * padded_.channels;
      if (channels == padded_.channels) {
        copy_pixels(image + y * width * channels, width * channels, row);
        continue;
      }
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t c = 0; c < channels; ++c)
          row[x * padded_.channels + c] = image[(y * width + x) * channels + c];
      }
    }
  }

  void run_image(const Element* rows, const Element** table, std::int8_t* output) const {
    auto weights = weights_.begin();
    auto job = job_;
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

  void run_rows(const AxisPlan& plan, const Element* rows, const Element** table, std::int8_t* output,
                BasicRowJob<Element>& job) const {
    job.kernel_rows = static_cast<std::int64_t>(plan.taps.size());
    for (std::int64_t i = 0; i < plan.count; ++i) {
      for (std::size_t k = 0; k < plan.offsets.size(); ++k) {
        table[k] = padded_.row(rows, i * plan.input_step + plan.offsets[k]);
      }
      job.output = output + (plan.first + i * plan.step) * conv_.output.width * conv_.output.channels;
      row_kernel_(job);
    }
  }

  Conv conv_;
  void (*row_kernel_)(const BasicRowJob<Element>&);
  std::vector<AxisPlan> rows_, columns_;  // the columns' offsets are in elements, not pixels
  PaddedRows padded_;
  BasicRowJob<Element> job_;
  std::vector<std::int32_t> doubled_bias_;
  std::vector<std::vector<Element>> weights_;  // for each column plan, for each row plan
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
  if (conv.depthwise) {
    const DenseKernel<std::int16_t> kernel{{}, depthwise_row};
    return std::make_unique<ConvKernel<std::int16_t>>(conv, *narrowed, conv_lanes(), kernel);
  }
  if (const auto kernel = byte_kernel(conv.input.channels)) {
    return std::make_unique<ConvKernel<std::int8_t>>(conv, *narrowed, kernel->layout.group, *kernel);
  }
  const auto kernel = word_kernel();
  return std::make_unique<ConvKernel<std::int16_t>>(conv, *narrowed, kernel.layout.group, kernel);
}

}  // namespace nerone::softdpu::portable
