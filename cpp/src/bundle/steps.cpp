#include "bundle/steps.hpp"

#include <limits>
#include <nerone/error.hpp>

namespace nerone::bundle {

namespace {

using namespace preprocess;

constexpr int version = 1;
constexpr int most_channels = 64;
constexpr int anything = std::numeric_limits<int>::max();  // Preprocess checks extents

Method method_of(const Fields& step, Method otherwise) {
  if (!step.has("method")) return otherwise;
  const auto name = step.text("method");
  if (name == "nearest") return Method::nearest;
  if (name == "bilinear") return Method::bilinear;
  if (name == "cubic") return Method::cubic;
  if (name == "area") return Method::area;
  step.fail("method", "nearest, bilinear, cubic or area");
}

Scope scope_of(const Fields& step) {
  if (!step.has("scope")) return Scope::slice;
  const auto name = step.text("scope");
  if (name != "slice" && name != "volume") step.fail("scope", "slice or volume");
  return name == "volume" ? Scope::volume : Scope::slice;
}

template <std::size_t count>
std::array<double, count> numbers_of(const Fields& step, const char* key, std::array<double, count> otherwise) {
  if (!step.has(key)) return otherwise;
  const auto values = step.numbers(key);
  if (values.size() != count) step.fail(key, std::to_string(count) + " finite numbers");
  std::copy(values.begin(), values.end(), otherwise.begin());
  return otherwise;
}

std::optional<double> limit_of(const Fields& step, const char* key) {
  if (!step.has(key) || step.is_null(key)) return std::nullopt;
  return step.number(key);
}

bool flag_of(const Fields& step, const char* key) { return step.has(key) && step.flag(key); }

Step step_of(const Fields& step) {
  const auto kind = step.text("step");
  if (kind == "channels") {
    step.check_keys({"step", "count", "order", "names"});
    const int count = step.integer("count", 1, most_channels);
    return Channels{count, step.has("order") ? step.integers("order", 0, count - 1) : std::vector<int>{}};
  }
  if (kind == "grey") {
    step.check_keys({"step", "weights"});
    return Grey{numbers_of(step, "weights", Grey{}.weights)};
  }
  if (kind == "clip") {
    step.check_keys({"step", "low", "high"});
    return Clip{limit_of(step, "low"), limit_of(step, "high")};
  }
  if (kind == "resample") {
    step.check_keys({"step", "spacing_mm", "method"});
    return Resample{step.number("spacing_mm"), method_of(step, Resample{}.method)};
  }
  if (kind == "resize") {
    step.check_keys({"step", "height", "width", "method"});
    return Resize{step.integer("height", 1, anything), step.integer("width", 1, anything),
                  method_of(step, Resize{}.method)};
  }
  if (kind == "crop_or_pad") {
    step.check_keys({"step", "height", "width", "value"});
    return CropOrPad{step.integer("height", 1, anything), step.integer("width", 1, anything),
                     step.has("value") ? step.number("value") : CropOrPad{}.value};
  }
  if (kind == "window") {
    step.check_keys({"step", "low", "high", "to"});
    return Window{step.number("low"), step.number("high"), numbers_of(step, "to", Window{}.to)};
  }
  if (kind == "percentile") {
    step.check_keys({"step", "low", "high", "to", "scope", "nonzero"});
    const auto low = step.is_null("low") ? std::nullopt : std::optional<double>(step.number("low"));
    return Percentile{low, step.number("high"), numbers_of(step, "to", Percentile{}.to), scope_of(step),
                      flag_of(step, "nonzero")};
  }
  if (kind == "z_score") {
    step.check_keys({"step", "scope", "nonzero"});
    return ZScore{scope_of(step), flag_of(step, "nonzero")};
  }
  if (kind == "scale_offset") {
    step.check_keys({"step", "scale", "offset"});
    return ScaleOffset{step.has("scale") ? step.numbers("scale") : ScaleOffset{}.scale,
                       step.has("offset") ? step.numbers("offset") : ScaleOffset{}.offset};
  }
  step.fail("step", "a step of this release; use the release that wrote the bundle");
}

}  // namespace

Steps read_preprocessing(const Fields& declaration) {
  declaration.check_keys({"version", "orientation", "steps"});
  if (declaration.integer("version", 0, anything) != version) {
    declaration.fail("version", std::to_string(version) + ", which this release reads");
  }
  Steps steps;
  const auto count = declaration.list("steps", "a list of steps").size();
  for (std::size_t i = 0; i < count; ++i) steps.push_back(step_of(declaration.item("steps", i)));
  // Ranges and order are checked where the steps run.
  static_cast<void>(Preprocess(steps));
  return steps;
}

}  // namespace nerone::bundle
