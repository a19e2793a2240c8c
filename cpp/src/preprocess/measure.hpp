#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "kernels/affine.hpp"
#include "kernels/moments/moments.hpp"
#include "preprocess/plan.hpp"
#include "preprocess/source.hpp"

namespace nerone::preprocess {

// Floats that measuring this many pixels of one channel needs.
constexpr std::size_t measure_scratch(std::size_t pixels) { return 2 * pixels + 32; }

// The constants of a measured step for channel `channel` of a source. `row_scratch`: a row of the source as floats
// (interleaved ones included) twice over; `scratch`: measure_scratch(height * width) floats.
kernels::Affine measure(const Measured& point, const Source& source, std::size_t channel, float* row_scratch,
                        float* scratch);

// As above, from statistics: {low, high} or {mean, deviation}.
kernels::Affine affine_of(const Measured& point, const std::array<double, 2>& pair);
std::array<double, 2> percentile_pair(const Measured& point, const float* values, std::size_t count, float* scratch);
std::array<double, 2> moments_pair(const Measured& point, const kernels::Moments& moments, std::size_t count);

}  // namespace nerone::preprocess
