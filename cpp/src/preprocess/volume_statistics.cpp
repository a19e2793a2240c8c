#include <nerone/error.hpp>
#include <nerone/preprocess.hpp>

#include "kernels/percentile/percentile.hpp"
#include "preprocess/measure.hpp"
#include "preprocess/steps.hpp"

namespace nerone::preprocess {
namespace {

Measured measured_of(const Step& step) {
  if (const auto* p = std::get_if<Percentile>(&step)) return {true, p->low, p->high, p->to, p->nonzero, {}};
  return {false, {}, 0.0, {}, std::get<ZScore>(step).nonzero, {}};
}

// One channel of all slices, as far as a step wants to know it.
struct Gathered {
  kernels::Moments moments;
  std::size_t count = 0;
  std::vector<float> values;

  void add(const Measured& point, const std::vector<float>& channel) {
    count += channel.size();
    if (!point.percentile) return kernels::add_moments(DType::float32, channel.data(), channel.size(), moments);
    const std::size_t before = values.size();
    values.resize(before + channel.size() + 16);
    const std::size_t kept =
        kernels::collect(DType::float32, channel.data(), channel.size(), point.nonzero, values.data() + before);
    values.resize(before + kept);
  }

  std::array<double, 2> pair(const Measured& point) const {
    if (!point.percentile) return moments_pair(point, moments, count);
    std::vector<float> scratch(values.size() + 16);
    return percentile_pair(point, values.data(), values.size(), scratch.data());
  }
};

std::vector<std::array<double, 2>> statistics_of(const Steps& before, const Step& step,
                                                 const std::vector<Image>& slices, const Statistics& found) {
  const Measured point = measured_of(step);
  Preprocess preprocess(before);
  std::vector<Gathered> channels;
  std::vector<float> pixels;
  std::vector<float> channel;
  for (Image slice : slices) {
    slice.statistics = found.empty() ? nullptr : &found;
    const Shape shape = preprocess.output_shape(slice);
    const auto count = static_cast<std::size_t>(shape.channels);
    if (channels.empty()) channels.resize(count);
    if (channels.size() != count) {
      throw ShapeError("the volume has slices with " + std::to_string(channels.size()) + " and with " +
                       std::to_string(count) + " channels; expected the same for all");
    }
    const std::size_t area = static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width);
    pixels.resize(area * count);
    channel.resize(area);
    preprocess.run(slice, 0,
                   TensorView::contiguous(pixels.data(), DType::float32, {shape.height, shape.width, shape.channels}));
    for (std::size_t c = 0; c < count; ++c) {
      for (std::size_t i = 0; i < area; ++i) channel[i] = pixels[i * count + c];
      channels[c].add(point, channel);
    }
  }
  std::vector<std::array<double, 2>> pairs;
  for (const Gathered& gathered : channels) pairs.push_back(gathered.pair(point));
  return pairs;
}

}  // namespace

Statistics volume_statistics(const Steps& steps, const std::vector<Image>& slices) {
  check(steps);
  Statistics found;
  Steps before;
  for (const Step& step : steps) {
    if (needs_volume(step)) {
      if (slices.empty()) throw ShapeError("the volume has no slices; expected one or more");
      found.push_back(statistics_of(before, step, slices, found));
    }
    before.push_back(step);
  }
  return found;
}

}  // namespace nerone::preprocess
