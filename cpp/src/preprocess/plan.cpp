#include "preprocess/plan.hpp"

#include <algorithm>
#include <numeric>

#include "preprocess/steps.hpp"

namespace nerone::preprocess {
namespace {

Stage empty_stage(Shape shape) {
  Stage stage;
  stage.in = stage.out = shape;
  stage.select.resize(static_cast<std::size_t>(shape.channels));
  std::iota(stage.select.begin(), stage.select.end(), std::size_t{0});
  stage.row_map = identity_axis(shape.height);
  stage.column_map = identity_axis(shape.width);
  return stage;
}

class Planner {
 public:
  Planner(Shape in, bool statistics_given) : statistics_given_(statistics_given) {
    plan_.in = in;
    plan_.stages.push_back(empty_stage(in));
  }

  void add(const Step& step, Shape after) {
    std::visit(Overloaded{[&](const Channels& s) { choose(s); }, [&](const Grey& s) { make_grey(s); },
                          [&](const Clip& s) { clip(s); }, [&](const Resample& s) { resize(s.method, after); },
                          [&](const Resize& s) { resize(s.method, after); }, [&](const CropOrPad& s) { crop(s); },
                          [&](const Window& s) { fixed(window_affine(s.low, s.high, s.to)); },
                          [&](const Percentile& s) {
                            measured({true, s.low, s.high, s.to, s.nonzero, {}}, s.scope);
                          },
                          [&](const ZScore& s) {
                            measured({false, {}, 0.0, {}, s.nonzero, {}}, s.scope);
                          },
                          [&](const ScaleOffset& s) { scale(s); }},
               step);
    stage().out = after;
  }

  Plan finish(Shape out) {
    for (Stage& stage : plan_.stages) {
      stage.moves = !stage.row_map.is_identity() || !stage.column_map.is_identity();
      stage.rows = band_of(stage.row_map);
      stage.columns = band_of(stage.column_map);
    }
    plan_.out = out;
    return std::move(plan_);
  }

 private:
  Stage& stage() { return plan_.stages.back(); }
  bool moved() { return !stage().row_map.is_identity() || !stage().column_map.is_identity(); }
  void next_stage() { plan_.stages.push_back(empty_stage(stage().out)); }

  void choose(const Channels& step) {
    if (step.order.empty()) return;
    if (!stage().points.empty() || stage().grey) next_stage();
    std::vector<std::size_t> chosen;
    for (const int channel : step.order) chosen.push_back(stage().select[static_cast<std::size_t>(channel)]);
    stage().select = std::move(chosen);
  }

  void make_grey(const Grey& step) {
    if (!stage().points.empty() || stage().grey || moved()) next_stage();
    stage().grey = {static_cast<float>(step.weights[0]), static_cast<float>(step.weights[1]),
                    static_cast<float>(step.weights[2])};
  }

  void resize(Method method, Shape after) {
    const Shape before = stage().out;
    if (after.height == before.height && after.width == before.width) return;
    if (!stage().points.empty() || stage().grey) next_stage();
    const bool growing = after.height > before.height || after.width > before.width;
    Stage& s = stage();
    s.row_map = compose(s.row_map, resize_axis(before.height, after.height, method, growing));
    s.column_map = compose(s.column_map, resize_axis(before.width, after.width, method, growing));
  }

  void crop(const CropOrPad& step) {
    const Shape before = stage().out;
    if (step.height == before.height && step.width == before.width) return;
    const bool pads = step.height > before.height || step.width > before.width;
    const bool other_value = pads && stage().padded && stage().pad_value != static_cast<float>(step.value);
    if (!stage().points.empty() || stage().grey || other_value) next_stage();
    Stage& s = stage();
    if (pads) s.pad_value = static_cast<float>(step.value);
    s.padded = s.padded || pads;
    s.row_map = compose(s.row_map, crop_or_pad_axis(before.height, step.height));
    s.column_map = compose(s.column_map, crop_or_pad_axis(before.width, step.width));
  }

  void fixed(const kernels::Affine& affine) {
    stage().points.push_back(Fixed(static_cast<std::size_t>(stage().out.channels), affine));
  }

  void clip(const Clip& step) {
    kernels::Affine affine;
    if (step.low) affine.low = static_cast<float>(*step.low);
    if (step.high) affine.high = static_cast<float>(*step.high);
    fixed(affine);
  }

  void scale(const ScaleOffset& step) {
    Fixed affines(static_cast<std::size_t>(stage().out.channels));
    for (std::size_t c = 0; c < affines.size(); ++c) {
      affines[c].scale = static_cast<float>(step.scale[step.scale.size() > 1 ? c : 0]);
      affines[c].offset = static_cast<float>(step.offset[step.offset.size() > 1 ? c : 0]);
    }
    stage().points.push_back(std::move(affines));
  }

  void measured(Measured point, Scope scope) {
    if (scope == Scope::volume) {
      if (statistics_given_) point.given = volume_steps_;
      ++volume_steps_;
    }
    if (!point.given && (!stage().points.empty() || stage().grey || moved())) next_stage();
    stage().points.push_back(point);
  }

  Plan plan_;
  bool statistics_given_;
  std::size_t volume_steps_ = 0;
};

}  // namespace

kernels::Affine window_affine(double low, double high, const std::array<double, 2>& to) {
  const double slope = high > low ? std::min((to[1] - to[0]) / (high - low), 1e30) : 0.0;
  return {static_cast<float>(low),
          static_cast<float>(high),
          static_cast<float>(slope),
          static_cast<float>(to[0] - low * slope),
          false,
          true};
}

kernels::Affine z_score_affine(double mean, double deviation, bool keep_zero) {
  kernels::Affine affine;
  affine.keep_zero = keep_zero;
  affine.scale = deviation > 1e-30 ? static_cast<float>(1.0 / deviation) : 0.0F;
  affine.offset = deviation > 1e-30 ? static_cast<float>(-mean / deviation) : 0.0F;
  return affine;
}

Plan make_plan(const Steps& steps, Shape in, std::optional<Spacing> spacing, bool statistics_given) {
  Planner planner(in, statistics_given);
  Shape shape = in;
  for (const Step& step : steps) {
    advance(step, shape, spacing);
    planner.add(step, shape);
  }
  return planner.finish(shape);
}

}  // namespace nerone::preprocess
