#pragma once

#include <cstddef>
#include <cstdint>
#include <nerone/export.hpp>
#include <optional>
#include <string>
#include <vector>

namespace nerone {

enum class DType : std::uint8_t { int8, uint8, int16, uint16, int32, int64, float32 };

NERONE_EXPORT std::size_t size_of(DType dtype);
NERONE_EXPORT const char* name_of(DType dtype);  // numpy's name: "int8", "float32" ...

// Name, type and shape of one of a model's inputs or outputs. Axes are N, H, W, C where there are four.
// A fixed-point tensor's real value is integer * 2^-fix_point; a float tensor has no fix point.
struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;
  DType dtype = DType::int8;
  std::optional<int> fix_point;
};

NERONE_EXPORT std::int64_t element_count(const std::vector<std::int64_t>& shape);
NERONE_EXPORT std::int64_t size_bytes(const TensorInfo& tensor);

// Does not own. Strides are in bytes, one per axis.
struct NERONE_EXPORT TensorView {
  void* data = nullptr;
  DType dtype = DType::int8;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides_bytes;

  static TensorView contiguous(void* data, DType dtype, std::vector<std::int64_t> shape);
  bool is_contiguous() const;
  std::int64_t element_count() const;
};

NERONE_EXPORT std::string to_string(const std::vector<std::int64_t>& shape);  // "(1, 256, 256, 1)"

}  // namespace nerone
