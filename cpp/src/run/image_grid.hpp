#pragma once

#include <array>
#include <nerone/preprocess.hpp>
#include <optional>

#include "run/picture.hpp"

namespace nerone::run {

// Carries masks from the network's grid back to the image's: for every pixel of the image the nearest of the network's,
// 0 where the preprocessing cuts or the network does not cover. The statement in Python is
// nerone.runtime.preprocessing.image_grid.
class ImageGrid {
 public:
  // `covers`: rows and columns in the middle of the network's input that a mask covers; 0: all of it.
  ImageGrid(preprocess::Steps steps, std::array<int, 2> covers);

  Mask carry(const Mask& mask, int height, int width, const std::optional<preprocess::Spacing>& spacing_mm) const;

 private:
  preprocess::Steps steps_;
  std::array<int, 2> covers_;
};

}  // namespace nerone::run
