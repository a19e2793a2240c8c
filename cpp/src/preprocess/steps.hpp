#pragma once

#include <nerone/preprocess.hpp>
#include <utility>

namespace nerone::preprocess {

// ConfigurationError naming the step and the field.
void check(const Steps& steps);

bool needs_volume(const Step& step);
bool moves_pixels(const Step& step);
const char* name_of(const Step& step);

// Height, width, channels and spacing behind a step. ShapeError where it needs other channels, ConfigurationError where
// an image would become larger than 16384 pixels a side.
void advance(const Step& step, Shape& shape, std::optional<Spacing>& spacing);

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace nerone::preprocess
