#pragma once

#include <cstddef>
#include <cstdint>
#include <nerone/tensor.hpp>

#include "kernels/affine.hpp"

namespace nerone::kernels {

// Planes to interleaved int8: for each pixel i < count and channel c < chain.channels
//   destination[i * channels + c] = sat8(floor(chain_c(planes[c][i]) + 0.5))
// planes: `channels` pointers to `count` pixels of `dtype` (not int64).
void quantize_planes(DType dtype, const void* const* planes, std::size_t count, const Chain& chain,
                     std::int8_t* destination);

// Constants of a chain, each repeated over sixteen pixels: value of channel e mod channels at element e of 16 *
// channels.
struct TiledAffine {
  const float* low;
  const float* high;
  const float* scale;
  const float* offset;
  bool keep_zero;
  bool clamps;
};

// Interleaved pixels to interleaved int8, the same formula: element e is of channel e mod channels.
void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, std::int8_t* destination);

// 2 * height rows of 2 * width pixels, halved both ways, then the chain of one channel: with rows a and b above each
// other
//   destination[x] = sat8(floor(chain((a[2x] + a[2x + 1] + b[2x] + b[2x + 1]) / 4) + 0.5))
// For 8 and 16 bits the mean is exact: what bilinear or area resizing to half the size gives. int32 and float32 are
// plain code, rounded like two passes of a resize.
void quantize_halved(DType dtype, const void* pixels, std::ptrdiff_t row_stride_bytes, std::size_t height,
                     std::size_t width, const Chain& chain, std::int8_t* destination);

// One row through a channel's chain: row[i] = chain_channel(row[i]), in place.
void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel);

namespace scalar {
void quantize_planes(DType dtype, const void* const* planes, std::size_t count, const Chain& chain,
                     std::int8_t* destination);
void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, std::int8_t* destination);
void quantize_halved(DType dtype, const void* pixels, std::ptrdiff_t row_stride_bytes, std::size_t height,
                     std::size_t width, const Chain& chain, std::int8_t* destination);
void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel);
}  // namespace scalar

}  // namespace nerone::kernels
