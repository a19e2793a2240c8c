#pragma once

#include <cstddef>

#include "kernels/affine.hpp"

// Simplifications of a chain of pointwise steps that change no bit of its results. A step is `channels`
// constants.
namespace nerone::preprocess {

// Makes a clamp part of the step behind it, which takes its place. A step that keeps zeros has to see the clamped
// value.
bool merge_clamp(kernels::Affine* clamp, const kernels::Affine* next, std::size_t channels);

// Whether a step's limits are within those that every pixel keeps.
bool needs_clamp(const kernels::Affine* step, std::size_t channels);

// Whether a power of two can be part of a step's constants without a rounding of its own.
bool scales_exactly(const kernels::Affine* step, std::size_t channels, float power);

// Whether all channels have the same constants.
bool same_for_all(const kernels::Affine* chain, std::size_t steps, std::size_t channels);

}  // namespace nerone::preprocess
