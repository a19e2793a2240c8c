#pragma once

#include <cstdint>
#include <vector>

#include "cpu/node.hpp"

namespace nerone::cpu {

// Element strides with which a tensor is read along the axes of `target`; 0 where it is broadcast (numpy's rules).
// Refuses in the node's name where the shapes do not fit.
std::vector<std::int64_t> broadcast_strides(const Node& node, const Shape& shape, const Shape& target);

// Calls visit(offset) for each element of `shape` in row-major order, with the offset that the strides give.
template <typename Visit>
void walk(const Shape& shape, const std::vector<std::int64_t>& strides, Visit visit) {
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t offset = 0;
  for (auto left = element_count(shape); left > 0; --left) {
    visit(offset);
    for (auto axis = shape.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

std::vector<std::int64_t> dense_strides(const Shape& shape);  // in elements

}  // namespace nerone::cpu
