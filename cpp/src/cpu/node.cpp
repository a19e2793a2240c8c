#include "cpu/node.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <type_traits>

namespace nerone::cpu {

namespace {

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::bool_constant<std::is_arithmetic_v<T>> {};

// A number, or a vector of numbers, of any type, as doubles; empty where the attribute is something else.
std::vector<double> as_numbers(const xmodel::Attr& attr) {
  return std::visit(
      [](const auto& value) -> std::vector<double> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_arithmetic_v<T>) return {static_cast<double>(value)};
        if constexpr (IsVector<T>::value) return {value.begin(), value.end()};
        return {};
      },
      attr);
}

}  // namespace

std::size_t Node::position(const std::string& role) const {
  std::size_t before = 0;
  for (const auto& [name, ops] : op.inputs) {
    if (name == role && !ops.empty()) return before;
    before += ops.size();
  }
  refuse("has no input '" + role + "'");
}

bool Node::has(const std::string& role) const {
  const auto found = op.inputs.find(role);
  return found != op.inputs.end() && !found->second.empty();
}

void Node::refuse(const std::string& reason) const {
  throw ModelError("op '" + op.name + "' (" + op.type + "): " + reason);
}

std::vector<double> Node::numbers_or(const std::string& key, std::vector<double> fallback) const {
  const auto found = op.attrs.find(key);
  return found == op.attrs.end() ? fallback : as_numbers(found->second);
}

std::vector<std::int64_t> Node::integers_or(const std::string& key, std::vector<std::int64_t> fallback) const {
  if (op.attrs.count(key) == 0) return fallback;
  const auto numbers = numbers_or(key, {});
  std::vector<std::int64_t> integers;
  for (const auto number : numbers) {
    if (!(std::abs(number) < 9e15)) refuse("attribute '" + key + "' is no integer");
    integers.push_back(static_cast<std::int64_t>(number));
  }
  return integers;
}

double Node::number_or(const std::string& key, double fallback) const {
  const auto numbers = numbers_or(key, {fallback});
  if (numbers.size() != 1) refuse("attribute '" + key + "' is not one number");
  return numbers.front();
}

std::int64_t Node::integer_or(const std::string& key, std::int64_t fallback) const {
  const auto integers = integers_or(key, {fallback});
  if (integers.size() != 1) refuse("attribute '" + key + "' is not one integer");
  return integers.front();
}

std::int64_t Node::integer(const std::string& key) const {
  if (op.attrs.count(key) == 0) refuse("lacks attribute '" + key + "'");
  return integer_or(key, 0);
}

bool Node::flag_or(const std::string& key, bool fallback) const { return number_or(key, fallback ? 1 : 0) != 0; }

std::string Node::text_or(const std::string& key, const std::string& fallback) const {
  const auto found = op.attrs.find(key);
  if (found == op.attrs.end()) return fallback;
  const auto* text = std::get_if<std::string>(&found->second);
  if (text == nullptr) refuse("attribute '" + key + "' is no string");
  return *text;
}

std::size_t Node::axis(std::int64_t axis, std::size_t rank) const {
  const auto counted = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
  if (counted < 0 || counted >= static_cast<std::int64_t>(rank)) {
    refuse("axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) + " axes");
  }
  return static_cast<std::size_t>(counted);
}

void Node::require_float() const {
  for (const auto& tensor : inputs) {
    if (tensor.dtype != DType::float32)
      refuse("reads '" + tensor.name + "', which is " + name_of(tensor.dtype) + ", not float32");
  }
  if (output.dtype != DType::float32) refuse(std::string("writes ") + name_of(output.dtype) + ", not float32");
}

void Node::require_same_dtype() const {
  for (const auto& tensor : inputs) {
    if (tensor.dtype != output.dtype) {
      refuse("reads '" + tensor.name + "' as " + name_of(tensor.dtype) + " and writes " + name_of(output.dtype));
    }
  }
}

void Node::require_output_count(std::int64_t elements) const {
  if (element_count(output.shape) != elements) {
    refuse("writes shape " + to_string(output.shape) + ", which does not hold " + std::to_string(elements) +
           " elements");
  }
}

void Node::require_output_shape(const Shape& shape) const {
  if (output.shape != shape)
    refuse("writes shape " + to_string(output.shape) + ", its attributes give " + to_string(shape));
}

const Kernels& kernel_table() {
  static const Kernels table = [] {
    Kernels all;
    for (auto& part : {elementwise_kernels(), arithmetic_kernels(), crossing_kernels(), layout_kernels(),
                       window_kernels(), dense_kernels(), reduction_kernels(), resize_kernels(), priorbox_kernels()}) {
      all.insert(part.begin(), part.end());
    }
    return all;
  }();
  return table;
}

}  // namespace nerone::cpu
