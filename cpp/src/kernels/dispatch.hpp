#pragma once

#include <cstdint>
#include <nerone/tensor.hpp>

namespace nerone::kernels {

// Calls f(T{}) with the C++ type of a pixel dtype. int64 is no pixel dtype: nothing is called.
template <typename F>
void for_pixel_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::int8:
      return f(std::int8_t{});
    case DType::uint8:
      return f(std::uint8_t{});
    case DType::int16:
      return f(std::int16_t{});
    case DType::uint16:
      return f(std::uint16_t{});
    case DType::int32:
      return f(std::int32_t{});
    case DType::float32:
      return f(float{});
    case DType::int64:
      return;
  }
}

}  // namespace nerone::kernels
