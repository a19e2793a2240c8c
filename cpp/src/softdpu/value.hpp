#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::softdpu {

using Shape = std::vector<std::int64_t>;
// Constants are shared by everything that points to them: a program may be copied and pruned freely.
using Int8Data = std::shared_ptr<const std::vector<std::int8_t>>;

// One tensor of a program: dense, NHWC, int8 with a fix point, or float32 without one.
struct Value {
  std::string name;
  Shape shape;
  DType dtype = DType::int8;
  int fix_point = 0;
  Int8Data constant;  // its content, where it is a constant

  std::int64_t element_count() const;
  std::size_t size_bytes() const { return static_cast<std::size_t>(element_count()) * size_of(dtype); }
};

// (N, H, W, C) of an image tensor.
struct Extents {
  std::int64_t batch = 1, height = 1, width = 1, channels = 1;

  std::int64_t element_count() const { return batch * height * width * channels; }
  bool operator==(const Extents& other) const;
};

Extents extents_of(const xmodel::Op& op, const Value& value);  // ModelError where it has not four axes
// ModelError where an op's stored output shape is not the one its attributes give.
void require_shape(const xmodel::Op& op, const Value& output, const Shape& expected);
void require_shape(const xmodel::Op& op, const Value& output, const Extents& expected);

}  // namespace nerone::softdpu
