#include "softdpu/ops/pad.hpp"

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

namespace {

// The input coordinate that output coordinate `out` shows, or -1 for a constant.
std::int64_t source(const std::string& mode, std::int64_t out, std::int64_t before, std::int64_t extent) {
  const auto in = out - before;
  if (in >= 0 && in < extent) return in;
  if (mode == "CONSTANT") return -1;
  const std::int64_t repeat = mode == "SYMMETRIC" ? 1 : 0;
  return in < 0 ? -in - repeat : 2 * extent - in - 2 + repeat;
}

void check_mirror(const xmodel::Op& op, const std::string& mode, std::int64_t pad, std::int64_t extent) {
  const auto most = mode == "SYMMETRIC" ? extent : extent - 1;
  if (mode != "CONSTANT" && pad > most) {
    refuse(op, "padding " + std::to_string(pad) + " is more than an axis of " + std::to_string(extent) +
                   " can mirror in mode " + mode);
  }
}

}  // namespace

Pad parse_pad(const xmodel::Op& op, const Value& input, const Value& output) {
  Pad pad;
  const auto mode = string_attr(op, "mode", "CONSTANT");
  if (mode != "CONSTANT" && mode != "SYMMETRIC" && mode != "REFLECT") {
    refuse(op, "mode '" + mode + "' is not supported, expected CONSTANT, SYMMETRIC or REFLECT");
  }
  const auto rank = input.shape.size();
  const auto paddings = ints_attr(op, "paddings", 2 * rank, {});
  const auto constants = ints_attr(op, "constant_values", 2 * rank, std::vector<int>(2 * rank, 0));
  pad.input_shape = input.shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const auto before = paddings[2 * axis], after = paddings[2 * axis + 1];
    const auto extent = input.shape[axis];
    if (before < 0 || after < 0) refuse(op, "a negative padding is not supported");
    check_mirror(op, mode, std::max(before, after), extent);
    pad.output_shape.push_back(extent + before + after);
  }
  require_shape(op, output, pad.output_shape);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::vector<std::int64_t> sources;
    for (std::int64_t out = 0; out < pad.output_shape[axis]; ++out) {
      sources.push_back(source(mode, out, paddings[2 * axis], input.shape[axis]));
    }
    pad.sources.push_back(std::move(sources));
  }
  for (const int constant : constants) {
    if (constant < -128 || constant > 127) refuse(op, "constant " + std::to_string(constant) + " is not an int8");
    if (constant != constants.front()) refuse(op, "different constants on different sides are not supported");
  }
  pad.constant = constants.empty() ? std::int8_t{0} : static_cast<std::int8_t>(constants.front());
  if (input.fix_point != output.fix_point) refuse(op, "a change of the fix point is not supported");
  return pad;
}

void run_scalar(const Pad& pad, const std::int8_t* input, std::int8_t* output) {
  const auto rank = pad.output_shape.size();
  std::int64_t count = 1;
  for (const auto extent : pad.output_shape) count *= extent;
  for (std::int64_t element = 0; element < count; ++element) {
    std::int64_t offset = 0, step = 1, rest = element;
    bool constant = false;
    for (std::size_t axis = rank; axis-- > 0;) {
      const auto in = pad.sources[axis][static_cast<std::size_t>(rest % pad.output_shape[axis])];
      constant = constant || in < 0;
      offset += in * step;
      step *= pad.input_shape[axis];
      rest /= pad.output_shape[axis];
    }
    output[element] = constant ? pad.constant : input[offset];
  }
}

}  // namespace nerone::softdpu
