#include "kernels/dequantize/dequantize.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dequantize/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

void widen(const std::int8_t* HWY_RESTRICT values, std::size_t count, int fix_point, float* HWY_RESTRICT out) {
  const FloatTag d;
  const float scale = std::ldexp(1.0F, -fix_point);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(load_pixels(d, values + i), hn::Set(d, scale)), d, out + i);
  for (; i < count; ++i) out[i] = static_cast<float>(values[i]) * scale;
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(widen);

void dequantize(const std::int8_t* values, std::size_t count, int fix_point, float* out) {
  HWY_DYNAMIC_DISPATCH(widen)(values, count, fix_point, out);
}

}  // namespace nerone::kernels
#endif
