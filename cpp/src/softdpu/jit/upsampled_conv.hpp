#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "softdpu/jit/conv_kernel.hpp"
#include "softdpu/jit/conv_weights.hpp"
#include "softdpu/jit/image.hpp"
#include "softdpu/jit/range.hpp"
#include "softdpu/jit/sum_planes.hpp"

namespace nerone::softdpu::jit {

// Whether a convolution of an upsampled image has a shape and an arithmetic that UpsampledConv covers.
bool can_read_upsampled(const Conv& conv);

// Whether that takes less time than upsampling and convolving `groups` of its channels.
bool is_faster_upsampled(Isa isa, const Conv& conv, int groups);

// A 3x3 convolution of an image that is enlarged by two (sum_planes.hpp says how its pixels are multiplied before they
// are repeated) and of other channels of full size beside it. Immutable; the scratch memory is a thread's own.
class UpsampledConv {
 public:
  // Without data; `large` has no groups where there are no other channels.
  struct Images {
    Image small, large, output;
  };
  // By position in the image: the convolution's input channel. By group: whether its values are never negative.
  struct Channels {
    ChannelMap small, large;
    std::vector<bool> small_never_negative, large_never_negative;
  };

  UpsampledConv(const Conv& conv, const Images& images, const Channels& channels, Isa isa = Isa::avx512_vnni);

  // A thread's share of the image's bands of rows. Threads write to different rows; each multiplies one small row more
  // at an edge between two shares.
  void operator()(const std::uint8_t* small, const std::uint8_t* large, std::uint8_t* output, std::uint8_t* scratch,
                  const Share& share = {}) const;

  std::size_t scratch_bytes() const;
  std::size_t weight_bytes() const;
  // Multiplications of one image.
  std::int64_t macs() const;
  std::string name() const;

 private:
  struct Part {
    ConvShape shape;
    ConvTile tile;
  };
  UpsampledConv(Isa isa, const Conv& conv, const Images& images, const Channels& channels,
                const Requantization& requantization);
  Part plane_part(const Conv& conv, const Channels& channels) const;
  std::size_t row_bytes() const { return static_cast<std::size_t>(blocks_) * summer_.row_bytes(); }
  Part finishing_part(const Conv& conv, const Requantize& rule, const Channels& channels) const;

  Isa isa_;
  std::int64_t outputs_ = 0, small_channels_ = 0, large_channels_ = 0;
  Images images_;
  int band_rows_ = 1;                    // small rows whose large rows are finished in one call
  int block_channels_ = 1, blocks_ = 1;  // channels whose planes are summed in one call
  PlaneSummer summer_;
  Part plane_part_, part_;
  ConvWeights weights_;
  std::vector<ConvWeights> plane_weights_;  // by block
  ConvKernel multiply_, finish_;
};

}  // namespace nerone::softdpu::jit
