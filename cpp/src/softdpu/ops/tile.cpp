#include "softdpu/ops/tile.hpp"

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

Tile parse_tile(const xmodel::Op& op, const Value& input, const Value& output) {
  constexpr int most = 1 << 10;
  Tile tile;
  tile.to_space = bool_attr(op, "reverse", false);
  const int step = int_attr(op, "stride", 0);
  if (step < 1 || step > most) {
    refuse(op, "stride " + std::to_string(step) + " is not supported, expected 1 to " + std::to_string(most));
  }
  tile.step = step;
  tile.coarse = extents_of(op, tile.to_space ? input : output);
  tile.fine = extents_of(op, tile.to_space ? output : input);
  const Extents expected{tile.coarse.batch, tile.coarse.height * step, tile.coarse.width * step,
                         tile.coarse.channels / (tile.step * tile.step)};
  if (!(tile.fine == expected) || tile.coarse.channels % (tile.step * tile.step) != 0) {
    refuse(op, "shape " + to_string(input.shape) + " with stride " + std::to_string(step) + " cannot become " +
                   to_string(output.shape));
  }
  if (input.fix_point != output.fix_point) {
    refuse(op, "fix point " + std::to_string(input.fix_point) + " cannot become " + std::to_string(output.fix_point) +
                   " in a copy");
  }
  return tile;
}

void run_scalar(const Tile& tile, const std::int8_t* input, std::int8_t* output) {
  const auto& fine = tile.fine;
  for (std::int64_t n = 0; n < fine.batch; ++n) {
    for (std::int64_t y = 0; y < fine.height; ++y) {
      for (std::int64_t x = 0; x < fine.width; ++x) {
        const auto pixel = (n * tile.coarse.height + y / tile.step) * tile.coarse.width + x / tile.step;
        const auto block = (y % tile.step * tile.step + x % tile.step) * fine.channels;
        for (std::int64_t c = 0; c < fine.channels; ++c) {
          const auto coarse = pixel * tile.coarse.channels + block + c;
          const auto at = ((n * fine.height + y) * fine.width + x) * fine.channels + c;
          if (tile.to_space) {
            output[at] = input[coarse];
          } else {
            output[coarse] = input[at];
          }
        }
      }
    }
  }
}

}  // namespace nerone::softdpu
