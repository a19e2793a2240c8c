#include "softdpu/portable/conv_plan.hpp"

#include <algorithm>

namespace nerone::softdpu::portable {

namespace {

struct Axis {
  int kernel, stride, dilation, pad;
  std::int64_t output;
};

std::vector<AxisPlan> plan_axis(const Axis& axis) {
  AxisPlan plan;
  plan.count = axis.output;
  plan.input_step = axis.stride;
  for (int tap = 0; tap < axis.kernel; ++tap) {
    plan.taps.push_back(tap);
    plan.offsets.push_back(static_cast<std::int64_t>(tap) * axis.dilation - axis.pad);
  }
  return {plan};
}

std::vector<AxisPlan> plan_transposed_axis(const Axis& axis) {
  std::vector<AxisPlan> plans;
  for (int first = 0; first < std::min<std::int64_t>(axis.stride, axis.output); ++first) {
    AxisPlan plan;
    plan.first = first;
    plan.step = axis.stride;
    plan.count = (axis.output - first + axis.stride - 1) / axis.stride;
    for (int tap = 0; tap < axis.kernel; ++tap) {
      const int position = first + axis.pad - (axis.kernel - 1 - tap);
      if (position % axis.stride != 0) continue;
      plan.taps.push_back(tap);
      plan.offsets.push_back(position / axis.stride);
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace

std::vector<AxisPlan> plan_rows(const Conv& conv) {
  const auto& window = conv.window;
  const Axis axis{window.kernel_h, window.stride_h, window.dilation_h, window.pad_top, conv.output.height};
  return conv.transposed ? plan_transposed_axis(axis) : plan_axis(axis);
}

std::vector<AxisPlan> plan_columns(const Conv& conv) {
  const auto& window = conv.window;
  const Axis axis{window.kernel_w, window.stride_w, window.dilation_w, window.pad_left, conv.output.width};
  return conv.transposed ? plan_transposed_axis(axis) : plan_axis(axis);
}

PaddedRows pad_rows(const Conv& conv, const std::vector<AxisPlan>& columns, std::int64_t channel_multiple) {
  PaddedRows rows;
  std::int64_t end = conv.input.width;
  for (const auto& plan : columns) {
    for (const auto offset : plan.offsets) {
      rows.left = std::max(rows.left, -offset);
      end = std::max(end, (plan.count - 1) * plan.input_step + offset + 1);
    }
  }
  rows.width = rows.left + end;
  rows.channels = (conv.input.channels + channel_multiple - 1) / channel_multiple * channel_multiple;
  rows.height = conv.input.height;
  return rows;
}

}  // namespace nerone::softdpu::portable
