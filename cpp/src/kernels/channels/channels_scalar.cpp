#include "kernels/channels/channels.hpp"

namespace nerone::kernels::scalar {

void split_channels(const float* row, std::size_t channels, std::size_t count, float* const* planes) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < channels; ++c) planes[c][i] = row[i * channels + c];
  }
}

void merge_channels(const float* const* planes, std::size_t channels, std::size_t count, float* row) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < channels; ++c) row[i * channels + c] = planes[c][i];
  }
}

}  // namespace nerone::kernels::scalar
