#pragma once

#include <array>
#include <memory>
#include <nerone/export.hpp>
#include <nerone/tensor.hpp>
#include <optional>
#include <variant>
#include <vector>

// The steps of an image before the network: the same steps, with the same names, fields and results, as
// nerone.runtime.preprocessing in Python, which also keeps them in the bundle; the formulas stand there.
namespace nerone::preprocess {

enum class Method { nearest, bilinear, cubic, area };
enum class Scope { slice, volume };

struct Channels {
  int count = 1;
  std::vector<int> order;  // empty: as they are
};
struct Grey {
  std::array<double, 3> weights = {0.299, 0.587, 0.114};
};
struct Clip {
  std::optional<double> low;
  std::optional<double> high;
};
struct Resample {
  double spacing_mm = 1.0;
  Method method = Method::cubic;
};
struct Resize {
  int height = 1;
  int width = 1;
  Method method = Method::bilinear;
};
struct CropOrPad {
  int height = 1;
  int width = 1;
  double value = 0.0;
};
struct Window {
  double low = 0.0;
  double high = 1.0;
  std::array<double, 2> to = {-1.0, 1.0};
};
struct Percentile {
  std::optional<double> low;  // absent: the value 0 is the lower end
  double high = 100.0;
  std::array<double, 2> to = {-1.0, 1.0};
  Scope scope = Scope::slice;
  bool nonzero = false;
};
struct ZScore {
  Scope scope = Scope::slice;
  bool nonzero = false;
};
struct ScaleOffset {
  std::vector<double> scale = {1.0};   // one, or one per channel
  std::vector<double> offset = {0.0};  // one, or one per channel
};

using Step = std::variant<Channels, Grey, Clip, Resample, Resize, CropOrPad, Window, Percentile, ZScore, ScaleOffset>;
using Steps = std::vector<Step>;

struct Spacing {
  double row_mm = 1.0;
  double column_mm = 1.0;
};

// For each step of scope "volume", in order, and each channel: {low, high} or {mean, deviation}.
using Statistics = std::vector<std::vector<std::array<double, 2>>>;

// Does not own. One (H, W) or (H, W, C) view, or C views (H, W) of one dtype; any strides.
// Pixels are uint8, int8, uint16, int16, int32 or float32.
struct Image {
  std::vector<TensorView> views;
  std::optional<Spacing> spacing_mm;       // absent: Resample leaves the image as it is
  const Statistics* statistics = nullptr;  // absent: the image counts as its whole volume
};

struct Shape {
  int height = 0;
  int width = 0;
  int channels = 0;
};

// Executes steps. Keeps a plan and its buffers for each kind of image it has seen lately, so that an image like the one
// before costs no allocation. For one thread at a time; copy it to have one per thread.
class NERONE_EXPORT Preprocess {
 public:
  explicit Preprocess(Steps steps);  // ConfigurationError
  Preprocess(const Preprocess& other);
  Preprocess(Preprocess&&) noexcept;
  Preprocess& operator=(Preprocess) noexcept;
  ~Preprocess();

  const Steps& steps() const;

  // ShapeError, DtypeError, ConfigurationError where the image does not go with the steps.
  Shape output_shape(const Image& image) const;

  // Writes the result, interleaved, into a contiguous (H, W, C) or (1, H, W, C) destination: int8 as
  // floor(x * 2^fix_point + 0.5) saturated, or float32 as it is (fix_point is not used).
  void run(const Image& image, int fix_point, const TensorView& destination);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Statistics of a volume, from all its slices, for the steps of scope "volume".
NERONE_EXPORT Statistics volume_statistics(const Steps& steps, const std::vector<Image>& slices);

}  // namespace nerone::preprocess
