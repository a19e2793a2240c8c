#pragma once

// Convolutions by oneDNN, where its float requantization is provably exact.
//
// oneDNN computes s8(round_half_even((float(acc) + bias) * 2^-shift_cut)). With bias = b + 0.25 this is
// floor(v + 0.5) for 0 <= shift_cut <= 15: v is a multiple of 2^-(shift_cut + 1), so a quarter of a unit moves ties up
// and nothing else; below 0 there are no ties and no quarter is added. Every float is exact because |acc| < 2^24 with
// the compensation for signed input (255 * sum |w|), and because what is not saturated stays below 2^22 with two
// fractional bits. Without VNNI instructions oneDNN halves weights, which is not exact: no kernel is made then.

#include <memory>

#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::onednn {

// Null where it would not be exact, or where oneDNN has no fast implementation.
std::unique_ptr<StepKernel> make_conv(const Conv& conv);

// Whether this processor has the instructions for it.
bool is_exact_here();

}  // namespace nerone::softdpu::onednn
