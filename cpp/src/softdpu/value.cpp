#include "softdpu/value.hpp"

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

std::int64_t Value::element_count() const {
  std::int64_t count = 1;
  for (const auto extent : shape) count *= extent;
  return count;
}

bool Extents::operator==(const Extents& other) const {
  return batch == other.batch && height == other.height && width == other.width && channels == other.channels;
}

Extents extents_of(const xmodel::Op& op, const Value& value) {
  if (value.shape.size() != 4) {
    refuse(op, "tensor '" + value.name + "' has shape " + to_string(value.shape) + ", expected four axes (N, H, W, C)");
  }
  return {value.shape[0], value.shape[1], value.shape[2], value.shape[3]};
}

void require_shape(const xmodel::Op& op, const Value& output, const Shape& expected) {
  if (output.shape != expected) {
    refuse(op, "output tensor has shape " + to_string(output.shape) + ", its attributes give " + to_string(expected));
  }
}

void require_shape(const xmodel::Op& op, const Value& output, const Extents& expected) {
  require_shape(op, output, Shape{expected.batch, expected.height, expected.width, expected.channels});
}

}  // namespace nerone::softdpu
