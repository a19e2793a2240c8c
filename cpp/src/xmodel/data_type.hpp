#pragma once

#include <cstdint>
#include <nerone/tensor.hpp>
#include <optional>
#include <string>

namespace nerone::xmodel {

// XIR's data type: a kind (INT, UINT, XINT, XUINT, FLOAT, numbered 0 to 4 in files) and a width.
struct DataType {
  int kind = 0;
  int bit_width = 0;

  static std::optional<DataType> from_name(const std::string& name);  // "XINT8", "xint8"
  static std::optional<DataType> from_file(std::int32_t kind, std::int32_t bit_width);
  std::string name() const;
  std::optional<DType> dtype() const;  // numpy's, where there is one and NERONE knows it
};

// Bytes that `elements` dense elements need, rounded up.
std::int64_t size_bytes(const DataType& type, std::int64_t elements);

}  // namespace nerone::xmodel
