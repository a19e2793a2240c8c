// Dense rows on AArch64: plain NEON on int16, SDOT and SMMLA on int8.

#ifdef __aarch64__

#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

#include <utility>

#include "softdpu/portable/conv_rows.hpp"

namespace nerone::softdpu::portable {

namespace {

constexpr std::int64_t chunk_pixels = 32, most_channels = 16;

// One row, block of output channels by block: `Block::sums<pixels, vectors>` leaves sums that narrow_sums stores.
template <class Block, int kVectors>
void run_block(const BasicRowJob<typename Block::Element>& job, const typename Block::Element* weights,
               std::int64_t first) {
  alignas(64) std::int32_t sums[chunk_pixels * most_channels];
  SumsJob narrow;
  narrow.sums = sums;
  narrow.sums_step = most_channels;
  narrow.channels = std::min(Block::layout.lanes * kVectors, job.output_channels - first);
  narrow.doubled_bias = job.doubled_bias + first;
  narrow.output_step = job.output_step;
  narrow.narrow = job.narrow;
  for (std::int64_t chunk = 0; chunk < job.pixels; chunk += chunk_pixels) {
    narrow.pixels = std::min(chunk_pixels, job.pixels - chunk);
    std::int64_t pixel = 0;
    for (; pixel + Block::pixels <= narrow.pixels; pixel += Block::pixels) {
      Block::template sums<Block::pixels, kVectors>(job, chunk + pixel, weights, sums + pixel * most_channels);
    }
    for (; pixel < narrow.pixels; ++pixel) {
      Block::template sums<1, kVectors>(job, chunk + pixel, weights, sums + pixel * most_channels);
    }
    narrow.output = job.output + chunk * job.output_step + first;
    narrow_sums(narrow);
  }
}

template <class Block>
void run_row(const BasicRowJob<typename Block::Element>& job) {
  const auto taps = job.kernel_rows * job.kernel_columns * job.input_channels;
  const auto* weights = job.weights;
  for (std::int64_t first = 0; first < job.output_channels; first += Block::layout.block()) {
    const auto width = Block::layout.width(first, job.output_channels);
    const auto vectors = width / Block::layout.lanes;
    if (vectors == 1) {
      run_block<Block, 1>(job, weights, first);
    } else if (vectors == 2) {
      run_block<Block, 2>(job, weights, first);
    } else if constexpr (Block::layout.vectors == 4) {
      vectors == 3 ? run_block<Block, 3>(job, weights, first) : run_block<Block, 4>(job, weights, first);
    }
    weights += taps * width;
  }
}

// SMLAL: 4 output channels of one pixel, an input channel at a time.
struct WordBlock {
  using Element = std::int16_t;
  static constexpr DenseLayout layout{4, 2, 1};
  static constexpr int pixels = 6;

  template <int kPixels, int kVectors, int kLane>
  static void add_channel(const int16x8_t* x, const std::int16_t* weights, int32x4_t (*sum)[kVectors]) {
    if constexpr (kVectors == 2) {
      const auto w = vld1q_s16(weights + 8 * kLane);
      for (int p = 0; p < kPixels; ++p) {
        sum[p][0] = vmlal_laneq_s16(sum[p][0], vget_low_s16(w), x[p], kLane);
        sum[p][1] = vmlal_high_laneq_s16(sum[p][1], w, x[p], kLane);
      }
    } else {
      const auto w = vld1_s16(weights + 4 * kLane);
      for (int p = 0; p < kPixels; ++p) sum[p][0] = vmlal_laneq_s16(sum[p][0], w, x[p], kLane);
    }
  }

  template <int kPixels, int kVectors, int... kLanes>
  static void add_channels(const int16x8_t* x, const std::int16_t* weights, int32x4_t (*sum)[kVectors],
                           std::integer_sequence<int, kLanes...>) {
    (add_channel<kPixels, kVectors, kLanes>(x, weights, sum), ...);
  }

  template <int kPixels, int kVectors>
  static void sums(const RowJob& job, std::int64_t pixel, const std::int16_t* weights, std::int32_t* result) {
    int32x4_t sum[kPixels][kVectors];
    for (auto& of_pixel : sum) {
      for (auto& vector : of_pixel) vector = vdupq_n_s32(0);
    }
    for (std::int64_t ky = 0; ky < job.kernel_rows; ++ky) {
      const auto* row = job.rows[ky] + pixel * job.input_step;
      for (std::int64_t kx = 0; kx < job.kernel_columns; ++kx) {
        const auto* source = row + job.column_offsets[kx];
        int16x8_t x[kPixels];
        std::int64_t c = 0;
        for (; c + 8 <= job.input_channels; c += 8, weights += 32 * kVectors) {
          for (int p = 0; p < kPixels; ++p) x[p] = vld1q_s16(source + p * job.input_step + c);
          add_channels<kPixels, kVectors>(x, weights, sum, std::make_integer_sequence<int, 8>());
        }
        for (; c < job.input_channels; ++c, weights += 4 * kVectors) {
          for (int p = 0; p < kPixels; ++p) x[p] = vld1q_dup_s16(source + p * job.input_step + c);
          add_channel<kPixels, kVectors, 0>(x, weights, sum);
        }
      }
    }
    for (int p = 0; p < kPixels; ++p) {
      for (int k = 0; k < kVectors; ++k) vst1q_s32(result + p * most_channels + 4 * k, sum[p][k]);
    }
  }
};

#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")

// SDOT: 4 output channels of one pixel, 4 input channels each.
struct DotBlock {
  using Element = std::int8_t;
  static constexpr DenseLayout layout{4, 4, 4};
  static constexpr int pixels = 4;

  template <int kPixels, int kVectors>
  static void sums(const BasicRowJob<std::int8_t>& job, std::int64_t pixel, const std::int8_t* weights,
                   std::int32_t* result) {
    int32x4_t sum[kPixels][kVectors];
    for (auto& of_pixel : sum) {
      for (auto& vector : of_pixel) vector = vdupq_n_s32(0);
    }
    for (std::int64_t ky = 0; ky < job.kernel_rows; ++ky) {
      const auto* row = job.rows[ky] + pixel * job.input_step;
      for (std::int64_t kx = 0; kx < job.kernel_columns; ++kx) {
        const auto* source = row + job.column_offsets[kx];
        std::int64_t c = 0;
        for (; c + 16 <= job.input_channels; c += 16, weights += 64 * kVectors) {
          int8x16_t x[kPixels];
          for (int p = 0; p < kPixels; ++p) x[p] = vld1q_s8(source + p * job.input_step + c);
          for (int k = 0; k < kVectors; ++k) {
            const auto* w = weights + 16 * k;
            const auto w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16 * kVectors), w2 = vld1q_s8(w + 32 * kVectors),
                       w3 = vld1q_s8(w + 48 * kVectors);
            for (int p = 0; p < kPixels; ++p) sum[p][k] = vdotq_laneq_s32(sum[p][k], w0, x[p], 0);
            for (int p = 0; p < kPixels; ++p) sum[p][k] = vdotq_laneq_s32(sum[p][k], w1, x[p], 1);
            for (int p = 0; p < kPixels; ++p) sum[p][k] = vdotq_laneq_s32(sum[p][k], w2, x[p], 2);
            for (int p = 0; p < kPixels; ++p) sum[p][k] = vdotq_laneq_s32(sum[p][k], w3, x[p], 3);
          }
        }
        for (; c < job.input_channels; c += 4, weights += 16 * kVectors) {
          for (int p = 0; p < kPixels; ++p) {
            const auto* group = reinterpret_cast<const std::int32_t*>(source + p * job.input_step + c);
            const auto x = vreinterpretq_s8_s32(vld1q_dup_s32(group));
            for (int k = 0; k < kVectors; ++k) {
              sum[p][k] = vdotq_s32(sum[p][k], vld1q_s8(weights + 16 * k), x);
            }
          }
        }
      }
    }
    for (int p = 0; p < kPixels; ++p) {
      for (int k = 0; k < kVectors; ++k) vst1q_s32(result + p * most_channels + 4 * k, sum[p][k]);
    }
  }
};

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")

// SMMLA: 2 output channels of 2 pixels, 8 input channels each.
struct MatrixBlock {
  using Element = std::int8_t;
  static constexpr DenseLayout layout{2, 4, 8};
  static constexpr int pixels = 8;

  template <int kPixels, int kVectors>
  static void sums(const BasicRowJob<std::int8_t>& job, std::int64_t pixel, const std::int8_t* weights,
                   std::int32_t* result) {
    constexpr int pairs = (kPixels + 1) / 2;
    int32x4_t sum[pairs][kVectors];
    for (auto& of_pair : sum) {
      for (auto& vector : of_pair) vector = vdupq_n_s32(0);
    }
    for (std::int64_t ky = 0; ky < job.kernel_rows; ++ky) {
      const auto* row = job.rows[ky] + pixel * job.input_step;
      for (std::int64_t kx = 0; kx < job.kernel_columns; ++kx) {
        const auto* source = row + job.column_offsets[kx];
        for (std::int64_t c = 0; c < job.input_channels; c += 8, weights += 16 * kVectors) {
          int8x16_t w[kVectors];
          for (int k = 0; k < kVectors; ++k) w[k] = vld1q_s8(weights + 16 * k);
          for (int p = 0; p < pairs; ++p) {
            const auto* even = source + 2 * p * job.input_step + c;
            const auto* odd = kPixels == 1 ? even : even + job.input_step;
            const auto x = vcombine_s8(vld1_s8(even), vld1_s8(odd));
            for (int k = 0; k < kVectors; ++k) sum[p][k] = vmmlaq_s32(sum[p][k], x, w[k]);
          }
        }
      }
    }
    for (int p = 0; p < kPixels; ++p) {
      for (int k = 0; k < kVectors; ++k) {
        const auto vector = sum[p / 2][k];
        vst1_s32(result + p * most_channels + 2 * k, p % 2 == 0 ? vget_low_s32(vector) : vget_high_s32(vector));
      }
    }
  }
};

#pragma GCC pop_options

}  // namespace

DenseKernel<std::int16_t> word_kernel() { return {WordBlock::layout, run_row<WordBlock>}; }

std::optional<DenseKernel<std::int8_t>> byte_kernel(std::int64_t input_channels) {
  static const bool has_dot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  static const bool has_matrix = (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
  // Groups of 8 would be half zeros with 4 channels.
  if (has_matrix && input_channels > 4) return DenseKernel<std::int8_t>{MatrixBlock::layout, run_row<MatrixBlock>};
  if (has_dot) return DenseKernel<std::int8_t>{DotBlock::layout, run_row<DotBlock>};
  return std::nullopt;
}

}  // namespace nerone::softdpu::portable

#endif
