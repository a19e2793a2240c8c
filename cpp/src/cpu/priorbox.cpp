// priorbox: the default boxes of an SSD, which depend on the shapes of a feature map and of the image alone.
//
// Output [1, 2, boxes * 4]: x and y of the upper left and of the lower right corner as shares of the image, then one
// variance for each. Boxes of a pixel, for each minimal size s with its maximal size S: s x s; sqrt(s S) squared, where
// there is an S; s sqrt(r) x s / sqrt(r) for each aspect ratio r but 1, with `flip` followed by 1 / r. Sizes are cut to
// whole numbers, and the steps stand as (height, width), as in the vendor's own op.

#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include "cpu/node.hpp"

namespace nerone::cpu {

namespace {

constexpr double closest_ratios = 1e-6;

struct Size {
  float width, height;
};

class PriorBoxes {
 public:
  explicit PriorBoxes(const Node& node) : node_(node) {
    const auto from = node.position("input");
    if (node.inputs.size() != 2) {
      node.refuse("reads " + std::to_string(node.inputs.size()) + " tensors, expected a feature map and the image");
    }
    map_ = extents(node.inputs[from]);
    image_ = extents(node.inputs[from + 1]);
    clip_ = node.flag_or("clip", false);
    offset_ = static_cast<float>(node.number_or("offset", 0.5));
    read_step();
    read_variance();
    read_sizes();
    node.require_output_count(map_[0] * map_[1] * static_cast<std::int64_t>(sizes_.size()) * 8);
  }

  std::vector<float> values() const {
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(element_count(node_.output.shape)));
    for (std::int64_t y = 0; y < map_[0]; ++y) {
      for (std::int64_t x = 0; x < map_[1]; ++x) {
        for (const auto& size : sizes_) add_box(x, y, size, values);
      }
    }
    const auto boxes = values.size() / 4;
    for (std::size_t box = 0; box < boxes; ++box) values.insert(values.end(), variance_.begin(), variance_.end());
    return values;
  }

 private:
  std::array<std::int64_t, 2> extents(const TensorInfo& tensor) const {
    if (tensor.shape.size() != 4)
      node_.refuse("'" + tensor.name + "' has shape " + to_string(tensor.shape) + ", expected four axes");
    return {tensor.shape[1], tensor.shape[2]};
  }

  void read_step() {
    const auto step = node_.numbers_or("step", {});
    if (step.size() > 2) node_.refuse("has " + std::to_string(step.size()) + " steps, expected one or two");
    for (std::size_t axis = 0; axis < 2; ++axis) {
      step_[axis] = step.empty() ? static_cast<float>(image_[axis]) / static_cast<float>(map_[axis])
                                 : static_cast<float>(step.size() == 1 ? step[0] : step[axis]);
    }
  }

  void read_variance() {
    const auto given = node_.numbers_or("variance", {1.0});
    if (given.size() > 1 && given.size() != 4) {
      node_.refuse("has " + std::to_string(given.size()) + " variances, expected one or four");
    }
    for (std::size_t i = 0; i < 4; ++i) {
      variance_[i] = given.empty() ? 1.0F : static_cast<float>(given[given.size() == 1 ? 0 : i]);
    }
  }

  std::vector<float> ratios() const {
    std::vector<float> ratios{1.0F};
    for (const auto given : node_.numbers_or("aspect_ratio", {})) {
      const auto ratio = static_cast<float>(given);
      if (!(ratio > 0)) node_.refuse("has an aspect ratio of " + std::to_string(ratio) + ", expected more than 0");
      bool known = false;
      for (const auto other : ratios) known = known || std::abs(static_cast<double>(ratio - other)) < closest_ratios;
      if (known) continue;
      ratios.push_back(ratio);
      if (node_.flag_or("flip", false)) ratios.push_back(1.0F / ratio);
    }
    return ratios;
  }

  void read_sizes() {
    const auto smallest = node_.numbers_or("min_sizes", {}), largest = node_.numbers_or("max_sizes", {});
    if (smallest.empty() || (!largest.empty() && largest.size() != smallest.size())) {
      node_.refuse("has " + std::to_string(smallest.size()) + " minimal and " + std::to_string(largest.size()) +
                   " maximal sizes, expected as many of each");
    }
    for (std::size_t i = 0; i < smallest.size(); ++i)
      add_sizes(whole(smallest[i]), largest.empty() ? 0 : whole(largest[i]));
  }

  int whole(double size) const {
    constexpr double most = 1 << 15;
    if (!(size >= 1 && size < most)) node_.refuse("has a box of size " + std::to_string(size));
    return static_cast<int>(size);
  }

  void add_sizes(int smallest, int largest) {
    const auto square = [this](float side) { sizes_.push_back({side, side}); };
    square(static_cast<float>(smallest));
    if (largest > 0) square(static_cast<float>(std::sqrt(static_cast<double>(smallest) * largest)));
    for (const auto ratio : ratios()) {
      if (std::abs(static_cast<double>(ratio) - 1.0) < closest_ratios) continue;
      const auto root = std::sqrt(ratio);
      sizes_.push_back({static_cast<float>(smallest) * root, static_cast<float>(smallest) / root});
    }
  }

  void add_box(std::int64_t x, std::int64_t y, const Size& size, std::vector<float>& values) const {
    const double center_x = (static_cast<float>(x) + offset_) * step_[1];
    const double center_y = (static_cast<float>(y) + offset_) * step_[0];
    const auto width = static_cast<double>(image_[1]), height = static_cast<double>(image_[0]);
    const double half_width = static_cast<double>(size.width) / 2, half_height = static_cast<double>(size.height) / 2;
    for (const double corner : {(center_x - half_width) / width, (center_y - half_height) / height,
                                (center_x + half_width) / width, (center_y + half_height) / height}) {
      const auto value = static_cast<float>(corner);
      values.push_back(clip_ ? std::min(std::max(value, 0.0F), 1.0F) : value);
    }
  }

  const Node& node_;
  std::array<std::int64_t, 2> map_{}, image_{};  // rows, columns
  std::array<float, 2> step_{};
  std::array<float, 4> variance_{};
  bool clip_ = false;
  float offset_ = 0;
  std::vector<Size> sizes_;
};

Kernel make_priorbox(const Node& node) {
  if (node.output.dtype != DType::float32) node.refuse("writes float32 only");
  auto values = std::make_shared<const std::vector<float>>(PriorBoxes(node).values());
  return [values](const void* const*, void* output) {
    std::memcpy(output, values->data(), values->size() * sizeof(float));
  };
}

}  // namespace

Kernels priorbox_kernels() { return {{"priorbox", make_priorbox}}; }

}  // namespace nerone::cpu
