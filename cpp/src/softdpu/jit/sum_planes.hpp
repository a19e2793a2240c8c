#pragma once

// A 3x3 convolution (stride 1, pad 1) of an image that was enlarged by two, each pixel to 2x2, reads every small pixel
// with every weight once: with P[ky][kx][i][j] the sum over the channels of x[i][j] * w[ky][kx],
//   even columns of kernel row ky: E[ky][i][j] = P[ky][0][i][j - 1] + P[ky][1][i][j] + P[ky][2][i][j]
//   odd columns:                   O[ky][i][j] = P[ky][0][i][j] + P[ky][1][i][j] + P[ky][2][i][j + 1]
//   out[2 i]     = E[0][i - 1] + E[1][i] + E[2][i]       (the same of O)
//   out[2 i + 1] = E[0][i] + E[1][i] + E[2][i + 1]
// 9 multiplications per small pixel make four pixels, which take 36 otherwise. The sums are the same integers.

#include <cstddef>
#include <cstdint>

#include "softdpu/jit/isa.hpp"

namespace nerone::softdpu::jit {

// Rows of int32, `vectors` whole vectors of small pixels long.
class PlaneSummer {
 public:
  PlaneSummer(Isa isa, int channels, int width);

  // Planes: [channel][ky * 3 + kx], plane_stride() bytes apart, a vector of zeros before each and behind the last.
  std::ptrdiff_t plane_stride() const { return static_cast<std::ptrdiff_t>(vectors_ + 1) * 64; }
  std::size_t planes_bytes() const;
  // What one row leaves for the next.
  std::size_t carried_bytes() const;
  // Sums of a large row: [channel], sums_stride() bytes apart.
  std::ptrdiff_t sums_stride() const { return static_cast<std::ptrdiff_t>(2 * vectors_) * 64; }
  std::size_t row_bytes() const { return static_cast<std::size_t>(channels_ * sums_stride()); }

  // Writes the zeros around the planes.
  void begin(std::uint8_t* planes) const;
  // Small row i, `carried` all zeros for the first: finishes large row 2 i - 1 (null for i = 0) and makes row 2 i.
  void add_row(const std::uint8_t* planes, std::uint8_t* carried, std::uint8_t* odd, std::uint8_t* even) const;
  // Finishes the last large row.
  void finish(const std::uint8_t* carried, std::uint8_t* odd) const;

 private:
  Isa isa_ = Isa::avx512_vnni;
  int channels_ = 0, vectors_ = 0;
};

}  // namespace nerone::softdpu::jit
