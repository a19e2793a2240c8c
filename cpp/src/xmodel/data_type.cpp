#include "xmodel/data_type.hpp"

#include <array>
#include <cstddef>

namespace nerone::xmodel {

namespace {

constexpr std::array<const char*, 5> kinds{"INT", "UINT", "XINT", "XUINT", "FLOAT"};
constexpr int float_kind = 4;

bool is_known(int kind, int bit_width) {
  if (kind == float_kind) return bit_width == 16 || bit_width == 32 || bit_width == 64;
  return kind >= 0 && kind < float_kind && bit_width >= 1 && bit_width <= 64;
}

}  // namespace

std::optional<DataType> DataType::from_name(const std::string& name) {
  const auto digits = name.find_first_of("0123456789");
  if (digits == std::string::npos || name.size() - digits > 2) return std::nullopt;
  int bit_width = 0;
  for (auto i = digits; i < name.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') return std::nullopt;
    bit_width = bit_width * 10 + (name[i] - '0');
  }
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const std::string upper = kinds[kind];
    std::string lower = upper;
    for (auto& letter : lower) letter = static_cast<char>(letter - 'A' + 'a');
    const auto word = name.substr(0, digits);
    if (word == upper || word == lower) return from_file(static_cast<std::int32_t>(kind), bit_width);
  }
  return std::nullopt;
}

std::optional<DataType> DataType::from_file(std::int32_t kind, std::int32_t bit_width) {
  if (!is_known(kind, bit_width)) return std::nullopt;
  return DataType{kind, bit_width};
}

std::string DataType::name() const { return kinds[static_cast<std::size_t>(kind)] + std::to_string(bit_width); }

std::optional<DType> DataType::dtype() const {
  const bool is_unsigned = kind == 1 || kind == 3;
  if (kind == float_kind) return bit_width == 32 ? std::optional(DType::float32) : std::nullopt;
  switch (bit_width) {
    case 8:
      return is_unsigned ? DType::uint8 : DType::int8;
    case 16:
      return is_unsigned ? DType::uint16 : DType::int16;
    case 32:
      return is_unsigned ? std::nullopt : std::optional(DType::int32);
    case 64:
      return is_unsigned ? std::nullopt : std::optional(DType::int64);
    default:
      return std::nullopt;
  }
}

std::int64_t size_bytes(const DataType& type, std::int64_t elements) { return (elements * type.bit_width + 7) / 8; }

}  // namespace nerone::xmodel
