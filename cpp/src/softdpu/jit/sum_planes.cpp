#include "softdpu/jit/sum_planes.hpp"

#include <cstring>

#include "softdpu/jit/layout.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr int planes_per_channel = 9;
constexpr std::ptrdiff_t carried_stride = 4 * vector_bytes;

struct PlaneRow {
  const std::uint8_t* planes;
  std::ptrdiff_t stride, sums_stride;
  int channels, vectors;
};

}  // namespace
}  // namespace nerone::softdpu::jit

#define NERONE_VECTOR_KERNELS "softdpu/jit/sum_planes-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

PlaneSummer::PlaneSummer(Isa isa, int channels, int width)
    : isa_(isa), channels_(channels), vectors_(divide_up(width, lanes)) {}

std::size_t PlaneSummer::planes_bytes() const {
  return static_cast<std::size_t>(channels_ * planes_per_channel * plane_stride() + vector_bytes);
}

std::size_t PlaneSummer::carried_bytes() const {
  return static_cast<std::size_t>(channels_) * static_cast<std::size_t>(vectors_) * carried_stride;
}

void PlaneSummer::begin(std::uint8_t* planes) const {
  for (int plane = 0; plane <= channels_ * planes_per_channel; ++plane) {
    std::memset(planes + plane * plane_stride(), 0, vector_bytes);
  }
}

void PlaneSummer::add_row(const std::uint8_t* planes, std::uint8_t* carried, std::uint8_t* odd,
                          std::uint8_t* even) const {
  const PlaneRow row{planes, plane_stride(), sums_stride(), channels_, vectors_};
  (isa_ == Isa::avx512_vnni ? avx512::add_row : avx2::add_row)(row, carried, odd, even);
}

void PlaneSummer::finish(const std::uint8_t* carried, std::uint8_t* odd) const {
  (isa_ == Isa::avx512_vnni ? avx512::finish_rows : avx2::finish_rows)(carried, odd, channels_ * vectors_);
}

}  // namespace nerone::softdpu::jit
