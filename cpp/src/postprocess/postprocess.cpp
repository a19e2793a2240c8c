#include <algorithm>
#include <cmath>
#include <cstring>
#include <nerone/error.hpp>
#include <nerone/postprocess.hpp>
#include <string>

#include "kernels/argmax/argmax.hpp"
#include "kernels/dequantize/dequantize.hpp"
#include "kernels/softmax/softmax.hpp"

namespace nerone::postprocess {
namespace {

constexpr std::size_t narrow_channels = 256;
constexpr std::size_t most_channels = 65536;

void check_view(const char* what, const TensorView& view, DType dtype, const std::vector<std::int64_t>& shape) {
  if (view.dtype != dtype) {
    throw DtypeError(std::string(what) + " is " + name_of(view.dtype) + "; expected " + name_of(dtype));
  }
  // Without allocating: a check of every frame.
  auto stride = static_cast<std::int64_t>(size_of(dtype));
  bool dense = view.shape == shape && view.strides_bytes.size() == shape.size() && view.data != nullptr;
  for (std::size_t axis = shape.size(); dense && axis-- > 0;) {
    dense = shape[axis] == 1 || view.strides_bytes[axis] == stride;
    stride *= shape[axis];
  }
  if (!dense) {
    throw ShapeError(std::string(what) + " has shape " + to_string(view.shape) + "; expected " + to_string(shape) +
                     " without gaps");
  }
}

// Softmax of real values, for networks whose output comes from the CPU.
void softmax_real(const float* values, std::size_t pixels, std::size_t channels, float* out) {
  for (std::size_t p = 0; p < pixels; ++p, values += channels, out += channels) {
    const float top = *std::max_element(values, values + channels);
    float sum = 0.0F;
    for (std::size_t c = 0; c < channels; ++c) {
      out[c] = values[c] == top ? 1.0F : std::exp(values[c] - top);
      sum += out[c];
    }
    for (std::size_t c = 0; c < channels; ++c) out[c] /= sum;
  }
}

}  // namespace

struct Postprocess::State {
  Kind kind;
  TensorInfo output;
  TensorInfo result;
  std::size_t pixels = 1;
  std::size_t channels = 1;
  kernels::SoftmaxTable table;

  template <typename T>
  void classify(const T* values, const TensorView& to) const {
    if (to.dtype == DType::uint8) {
      kernels::argmax(values, pixels, channels, static_cast<std::uint8_t*>(to.data));
    } else {
      kernels::argmax_wide(values, pixels, channels, static_cast<std::uint16_t*>(to.data));
    }
  }

  void run_int8(const std::int8_t* values, const TensorView& to) const {
    if (kind == Kind::classes) return classify(values, to);
    auto* out = static_cast<float*>(to.data);
    if (kind == Kind::probabilities) return kernels::softmax(values, pixels, channels, table, out);
    kernels::dequantize(values, pixels * channels, *output.fix_point, out);
  }

  void run_float(const float* values, const TensorView& to) const {
    if (kind == Kind::classes) return classify(values, to);
    softmax_real(values, pixels, channels, static_cast<float*>(to.data));
  }
};

Postprocess::Postprocess(Kind kind, const TensorInfo& output) {
  if (output.dtype != DType::int8 && output.dtype != DType::float32) {
    throw DtypeError("the output " + output.name + " is " + name_of(output.dtype) + "; expected int8 or float32");
  }
  const bool fixed = output.dtype == DType::int8;
  if (output.shape.empty() || *std::min_element(output.shape.begin(), output.shape.end()) < 1) {
    throw ShapeError("the output " + output.name + " has shape " + to_string(output.shape) +
                     "; expected at least one axis, and none empty");
  }
  if (fixed && kind != Kind::raw && kind != Kind::classes &&
      (!output.fix_point || *output.fix_point < -31 || *output.fix_point > 31)) {
    throw ConfigurationError("the output " + output.name +
                             " has no fix point from -31 to 31, so its values have no meaning");
  }
  state_ = std::make_unique<State>(
      State{kind, output, output, 1, 1, kernels::SoftmaxTable(fixed ? output.fix_point.value_or(0) : 0)});
  state_->channels = static_cast<std::size_t>(output.shape.back());
  for (std::size_t axis = 0; axis + 1 < output.shape.size(); ++axis) {
    state_->pixels *= static_cast<std::size_t>(output.shape[axis]);
  }
  TensorInfo& result = state_->result;
  if (kind == Kind::raw) return;
  result.fix_point.reset();
  result.dtype = DType::float32;
  if (kind != Kind::classes) return;
  if (state_->channels > most_channels) {
    throw ShapeError("the output " + output.name + " has " + std::to_string(state_->channels) +
                     " channels; expected at most 65536 classes");
  }
  result.dtype = state_->channels <= narrow_channels ? DType::uint8 : DType::uint16;
  result.shape.pop_back();
}

Postprocess::~Postprocess() = default;
Postprocess::Postprocess(Postprocess&&) noexcept = default;
Postprocess& Postprocess::operator=(Postprocess&&) noexcept = default;

Kind Postprocess::kind() const { return state_->kind; }
const TensorInfo& Postprocess::result() const { return state_->result; }

void Postprocess::run(const TensorView& output, const TensorView& result) const {
  const State& s = *state_;
  check_view("the output", output, s.output.dtype, s.output.shape);
  check_view("the result", result, s.result.dtype, s.result.shape);
  if (s.kind == Kind::raw || (s.kind == Kind::real && s.output.dtype == DType::float32)) {
    std::memcpy(result.data, output.data, s.pixels * s.channels * size_of(s.output.dtype));
  } else if (s.output.dtype == DType::int8) {
    s.run_int8(static_cast<const std::int8_t*>(output.data), result);
  } else {
    s.run_float(static_cast<const float*>(output.data), result);
  }
}

}  // namespace nerone::postprocess
