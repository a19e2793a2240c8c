#include "kernels/argmax/argmax.hpp"

namespace nerone::kernels {
namespace {

bool wins(std::int8_t value, std::int8_t best) { return value > best; }
bool wins(float value, float best) { return value > best || (value != value && best == best); }

template <typename T, typename Class>
void argmax_of(const T* values, std::size_t pixels, std::size_t channels, Class* classes) {
  for (std::size_t p = 0; p < pixels; ++p, values += channels) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < channels; ++c) {
      if (wins(values[c], values[best])) best = c;
    }
    classes[p] = static_cast<Class>(best);
  }
}

}  // namespace

void argmax(const float* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes) {
  argmax_of(values, pixels, channels, classes);
}

void argmax_wide(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint16_t* classes) {
  argmax_of(values, pixels, channels, classes);
}

void argmax_wide(const float* values, std::size_t pixels, std::size_t channels, std::uint16_t* classes) {
  argmax_of(values, pixels, channels, classes);
}

namespace scalar {

void argmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes) {
  argmax_of(values, pixels, channels, classes);
}

}  // namespace scalar
}  // namespace nerone::kernels
