#include "softdpu/ops/window.hpp"

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

namespace {

constexpr int extent_limit = 1 << 16;

void check_range(const xmodel::Op& op, const std::string& key, const std::vector<int>& values, int lowest) {
  for (const int value : values) {
    if (value < lowest || value > extent_limit) {
      refuse(op, "attribute '" + key + "' holds " + std::to_string(value) + ", expected " + std::to_string(lowest) +
                     " to " + std::to_string(extent_limit));
    }
  }
}

std::int64_t output_extent(std::int64_t input, int pads, int kernel, int dilation, int stride) {
  const auto room = input + pads - (static_cast<std::int64_t>(kernel) - 1) * dilation - 1;
  return room < 0 ? 0 : room / stride + 1;
}

}  // namespace

Window Window::parse(const xmodel::Op& op) {
  const auto kernel = ints_attr(op, "kernel", 2, {});
  const auto stride = ints_attr(op, "stride", 2, {1, 1});
  const auto dilation = ints_attr(op, "dilation", 2, {1, 1});
  const auto pad = ints_attr(op, "pad", 4, {0, 0, 0, 0});
  check_range(op, "kernel", kernel, 1);
  check_range(op, "stride", stride, 1);
  check_range(op, "dilation", dilation, 1);
  check_range(op, "pad", pad, 0);
  Window window;
  window.kernel_w = kernel[0], window.kernel_h = kernel[1];
  window.stride_w = stride[0], window.stride_h = stride[1];
  window.dilation_w = dilation[0], window.dilation_h = dilation[1];
  window.pad_left = pad[0], window.pad_right = pad[1], window.pad_top = pad[2], window.pad_bottom = pad[3];
  return window;
}

std::int64_t Window::output_height(std::int64_t input_height) const {
  return output_extent(input_height, pad_top + pad_bottom, kernel_h, dilation_h, stride_h);
}

std::int64_t Window::output_width(std::int64_t input_width) const {
  return output_extent(input_width, pad_left + pad_right, kernel_w, dilation_w, stride_w);
}

}  // namespace nerone::softdpu
