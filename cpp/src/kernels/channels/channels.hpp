#pragma once

#include <cstddef>

namespace nerone::kernels {

// One row of interleaved channels to a row per channel: planes[c][i] = row[i * channels + c].
void split_channels(const float* row, std::size_t channels, std::size_t count, float* const* planes);

// The way back: row[i * channels + c] = planes[c][i].
void merge_channels(const float* const* planes, std::size_t channels, std::size_t count, float* row);

namespace scalar {
void split_channels(const float* row, std::size_t channels, std::size_t count, float* const* planes);
void merge_channels(const float* const* planes, std::size_t channels, std::size_t count, float* row);
}  // namespace scalar

}  // namespace nerone::kernels
