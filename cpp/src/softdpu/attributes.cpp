#include "softdpu/attributes.hpp"

#include <cmath>
#include <limits>
#include <nerone/error.hpp>
#include <type_traits>

namespace nerone::softdpu {

namespace {

template <typename T>
struct is_number_vector : std::false_type {};
template <typename N>
struct is_number_vector<std::vector<N>> : std::bool_constant<std::is_arithmetic_v<N> && !std::is_same_v<N, char>> {};

const xmodel::Attr* find(const xmodel::Op& op, const std::string& key) {
  const auto found = op.attrs.find(key);
  return found == op.attrs.end() ? nullptr : &found->second;
}

[[noreturn]] void wrong_type(const xmodel::Op& op, const std::string& key, const std::string& wanted) {
  refuse(op, "attribute '" + key + "' must be " + wanted);
}

int to_int(const xmodel::Op& op, const std::string& key, double value) {
  if (value != std::floor(value) || std::abs(value) > std::numeric_limits<int>::max()) {
    wrong_type(op, key, "a 32-bit whole number, got " + std::to_string(value));
  }
  return static_cast<int>(value);
}

}  // namespace

void refuse(const xmodel::Op& op, const std::string& reason) {
  throw ModelError("op '" + op.name + "' (" + op.type + "): " + reason);
}

int int_attr(const xmodel::Op& op, const std::string& key, int fallback) {
  const auto* attr = find(op, key);
  if (attr == nullptr) return fallback;
  return std::visit(
      [&](const auto& value) -> int {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
          return to_int(op, key, static_cast<double>(value));
        } else {
          wrong_type(op, key, "a number");
        }
      },
      *attr);
}

bool bool_attr(const xmodel::Op& op, const std::string& key, bool fallback) {
  const auto* attr = find(op, key);
  if (attr == nullptr) return fallback;
  if (const auto* value = std::get_if<bool>(attr)) return *value;
  return int_attr(op, key, 0) != 0;
}

std::string string_attr(const xmodel::Op& op, const std::string& key, const std::string& fallback) {
  const auto* attr = find(op, key);
  if (attr == nullptr) return fallback;
  if (const auto* value = std::get_if<std::string>(attr)) return *value;
  wrong_type(op, key, "a string");
}

std::vector<double> numbers_attr(const xmodel::Op& op, const std::string& key, std::size_t length,
                                 const std::vector<double>& fallback) {
  const auto* attr = find(op, key);
  if (attr == nullptr) {
    if (fallback.empty()) refuse(op, "attribute '" + key + "' is missing");
    return fallback;
  }
  auto numbers = std::visit(
      [&](const auto& value) -> std::vector<double> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (is_number_vector<T>::value) {
          return {value.begin(), value.end()};
        } else if constexpr (std::is_same_v<T, xmodel::Bytes>) {
          // XIR keeps small integers (constant_values of pad-fix) as bytes.
          std::vector<double> signed_values;
          for (const char byte : value) signed_values.push_back(static_cast<signed char>(byte));
          return signed_values;
        } else {
          wrong_type(op, key, "a list of numbers");
        }
      },
      *attr);
  // XIR's value of an attribute that was not given.
  if (numbers.empty() && !fallback.empty()) return fallback;
  if (numbers.size() != length) {
    refuse(op, "attribute '" + key + "' has " + std::to_string(numbers.size()) + " values, expected " +
                   std::to_string(length));
  }
  return numbers;
}

std::vector<int> ints_attr(const xmodel::Op& op, const std::string& key, std::size_t length,
                           const std::vector<int>& fallback) {
  std::vector<int> ints;
  for (const double number : numbers_attr(op, key, length, {fallback.begin(), fallback.end()})) {
    ints.push_back(to_int(op, key, number));
  }
  return ints;
}

}  // namespace nerone::softdpu
