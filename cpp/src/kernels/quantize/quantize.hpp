#pragma once

#include <cstddef>
#include <cstdint>
#include <nerone/tensor.hpp>

#include "kernels/affine.hpp"

namespace nerone::kernels {

// Planes to interleaved int8: for each pixel i < count and channel c < chain.channels
//   destination[i * channels + c] = sat8(floor(chain_c(planes[c][i]) * 2^fix_point + 0.5))
// planes: `channels` pointers to `count` pixels of `dtype` (not int64). fix_point is -31 to 31.
void quantize_planes(DType dtype, const void* const* planes, std::size_t count, const Chain& chain, int fix_point,
                     std::int8_t* destination);

// Constants of a chain, each repeated over sixteen pixels: value of channel e mod channels at element e of 16 *
// channels.
struct TiledAffine {
  const float* low;
  const float* high;
  const float* scale;
  const float* offset;
  bool keep_zero;
};

// Interleaved pixels to interleaved int8, the same formula: element e is of channel e mod channels.
void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, int fix_point, std::int8_t* destination);

// One row through a channel's chain: row[i] = chain_channel(row[i]), in place.
void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel);

namespace scalar {
void quantize_planes(DType dtype, const void* const* planes, std::size_t count, const Chain& chain, int fix_point,
                     std::int8_t* destination);
void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, int fix_point, std::int8_t* destination);
void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel);
}  // namespace scalar

}  // namespace nerone::kernels
