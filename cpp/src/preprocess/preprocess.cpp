#include <algorithm>
#include <cmath>
#include <nerone/error.hpp>
#include <nerone/preprocess.hpp>
#include <string>

#include "preprocess/run.hpp"
#include "preprocess/steps.hpp"

namespace nerone::preprocess {
namespace {

// Kinds of images whose plans are kept; a folder rarely holds more.
constexpr std::size_t kept_plans = 8;

// The key of a plan.
struct Key {
  Layout layout;
  std::optional<Spacing> spacing;
  bool statistics = false;

  bool operator==(const Key& other) const {
    const bool same_spacing =
        spacing.has_value() == other.spacing.has_value() &&
        (!spacing || (spacing->row_mm == other.spacing->row_mm && spacing->column_mm == other.spacing->column_mm));
    return layout == other.layout && statistics == other.statistics && same_spacing;
  }
};

void check_spacing(const std::optional<Spacing>& spacing) {
  if (!spacing) return;
  for (const double mm : {spacing->row_mm, spacing->column_mm}) {
    if (!(mm > 0.0 && std::isfinite(mm))) {
      throw ConfigurationError("spacing_mm is " + std::to_string(mm) +
                               "; expected positive numbers in millimetres (row, column)");
    }
  }
}

// The channels in front of each step of scope "volume" go with the statistics given.
void check_statistics(const Steps& steps, const Statistics& statistics, Shape shape) {
  std::size_t used = 0;
  std::optional<Spacing> spacing;
  for (const Step& step : steps) {
    if (needs_volume(step) && used < statistics.size()) {
      if (statistics[used].size() != static_cast<std::size_t>(shape.channels)) {
        throw ConfigurationError("statistics are of " + std::to_string(statistics[used].size()) +
                                 " channels; the image has " + std::to_string(shape.channels) + " at the step " +
                                 name_of(step));
      }
      for (const auto& pair : statistics[used]) {
        if (!std::isfinite(pair[0]) || !std::isfinite(pair[1])) {
          throw ConfigurationError("statistics hold a number that is not finite; compute them with volume_statistics");
        }
      }
    }
    used += needs_volume(step) ? 1 : 0;
    advance(step, shape, spacing);
  }
  if (used != statistics.size()) {
    throw ConfigurationError("statistics are of " + std::to_string(statistics.size()) +
                             " steps; the preprocessing has " + std::to_string(used) +
                             " of scope 'volume': compute them with volume_statistics of the same preprocessing");
  }
}

// Without allocating: a check of every frame.
void check_destination(const TensorView& view, Shape shape) {
  if (view.dtype != DType::int8 && view.dtype != DType::float32) {
    throw DtypeError(std::string("the destination is ") + name_of(view.dtype) + "; expected int8 or float32");
  }
  const std::array<std::int64_t, 3> wanted = {shape.height, shape.width, shape.channels};
  const std::size_t batch = view.shape.size() == 4 && view.shape[0] == 1 ? 1 : 0;
  bool same = view.shape.size() == 3 + batch && view.strides_bytes.size() == view.shape.size() && view.data != nullptr;
  auto stride = static_cast<std::int64_t>(size_of(view.dtype));
  for (std::size_t axis = 3; same && axis-- > 0;) {
    same =
        view.shape[axis + batch] == wanted[axis] && (wanted[axis] == 1 || view.strides_bytes[axis + batch] == stride);
    stride *= wanted[axis];
  }
  if (!same) {
    throw ShapeError("the destination has shape " + to_string(view.shape) + "; the preprocessed image has " +
                     to_string({wanted.begin(), wanted.end()}) + " and needs it without gaps");
  }
}

}  // namespace

struct Preprocess::State {
  Steps steps;
  struct Entry {
    Key key;
    Execution execution;
    std::size_t used = 0;
  };
  std::vector<Entry> entries;
  std::size_t clock = 0;

  Execution& execution_for(const Key& key) {
    ++clock;
    for (Entry& entry : entries) {
      if (entry.key == key) {
        entry.used = clock;
        return entry.execution;
      }
    }
    const Shape in{key.layout.height, key.layout.width, key.layout.channels};
    Execution execution(make_plan(steps, in, key.spacing, key.statistics), key.layout);
    if (entries.size() == kept_plans) {
      entries.erase(std::min_element(entries.begin(), entries.end(),
                                     [](const Entry& a, const Entry& b) { return a.used < b.used; }));
    }
    entries.push_back({key, std::move(execution), clock});
    return entries.back().execution;
  }
};

Preprocess::Preprocess(Steps steps) : state_(std::make_unique<State>()) {
  check(steps);
  state_->steps = std::move(steps);
}

Preprocess::Preprocess(const Preprocess& other) : Preprocess(other.state_->steps) {}
Preprocess::Preprocess(Preprocess&&) noexcept = default;
Preprocess& Preprocess::operator=(Preprocess other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Preprocess::~Preprocess() = default;

const Steps& Preprocess::steps() const { return state_->steps; }

Shape Preprocess::output_shape(const Image& image) const {
  check_spacing(image.spacing_mm);
  const Layout layout = layout_of(image);
  Shape shape{layout.height, layout.width, layout.channels};
  auto spacing = image.spacing_mm;
  for (const Step& step : state_->steps) advance(step, shape, spacing);
  return shape;
}

void Preprocess::run(const Image& image, int fix_point, const TensorView& destination) {
  check_spacing(image.spacing_mm);
  if (fix_point < -31 || fix_point > 31) {
    throw ConfigurationError("fix_point is " + std::to_string(fix_point) + "; expected -31 to 31");
  }
  const Layout layout = layout_of(image);
  if (image.statistics != nullptr) {
    check_statistics(state_->steps, *image.statistics, {layout.height, layout.width, layout.channels});
  }
  Execution& execution = state_->execution_for({layout, image.spacing_mm, image.statistics != nullptr});
  check_destination(destination, execution.plan().out);
  Sink sink;
  sink.fix_point = fix_point;
  if (destination.dtype == DType::int8) {
    sink.bytes = static_cast<std::int8_t*>(destination.data);
  } else {
    sink.pixels = static_cast<float*>(destination.data);
  }
  execution.run(image, layout, sink);
}

}  // namespace nerone::preprocess
