#include "preprocess/taps.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace nerone::preprocess {
namespace {

// Taps on the same old pixel become one, added in float as they come; taps of weight 0 go.
std::vector<Tap> merged(const std::vector<Tap>& taps) {
  std::vector<Tap> result;
  for (const Tap& tap : taps) {
    if (!result.empty() && result.back().index == tap.index) {
      result.back().weight = static_cast<float>(result.back().weight) + static_cast<float>(tap.weight);
    } else {
      result.push_back(tap);
    }
  }
  const auto nothing = [](const Tap& tap) { return tap.weight == 0.0; };
  if (!std::all_of(result.begin(), result.end(), nothing)) {
    result.erase(std::remove_if(result.begin(), result.end(), nothing), result.end());
  }
  return result;
}

std::array<float, 4> cubic_weights(float x) {
  const float a = -0.75F;
  const auto far = [a](float t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
  const auto near = [a](float t) { return ((a + 2) * t - (a + 3)) * t * t + 1.0F; };
  const float before = far(x + 1.0F);
  const float here = near(x);
  const float after = near(1.0F - x);
  return {before, here, after, 1.0F - before - here - after};
}

std::vector<Tap> cubic_taps(double position, int old_extent) {
  const auto at = static_cast<float>(position);
  const float below = std::floor(at);
  const auto weights = cubic_weights(at - below);
  std::vector<Tap> taps;
  for (int k = 0; k < 4; ++k) {
    const int index = std::clamp(static_cast<int>(below) - 1 + k, 0, old_extent - 1);
    taps.push_back({index, weights[static_cast<std::size_t>(k)]});
  }
  return taps;
}

std::vector<Tap> linear_taps(int first, float part, int old_extent) {
  if (first < 0 || first >= old_extent - 1) part = 0.0F;
  first = std::clamp(first, 0, old_extent - 1);
  return {{first, 1.0F - part}, {std::min(first + 1, old_extent - 1), part}};
}

std::vector<Tap> area_linear_taps(int place, double scale, double inverse, int old_extent) {
  const auto first = static_cast<int>(std::floor(place * scale));
  auto part = static_cast<float>((place + 1) - (first + 1) * inverse);
  part = part <= 0 ? 0.0F : part - std::floor(part);
  return linear_taps(first, part, old_extent);
}

std::vector<Tap> area_taps(int place, double scale, int old_extent) {
  const double start = place * scale;
  const double end = start + scale;
  const double width = std::min(scale, old_extent - start);
  const int last = std::min(static_cast<int>(std::floor(end)), old_extent - 1);
  const int first = std::min(static_cast<int>(std::ceil(start)), last);
  std::vector<Tap> taps;
  if (first - start > 1e-3) taps.push_back({first - 1, (first - start) / width});
  for (int pixel = first; pixel < last; ++pixel) taps.push_back({pixel, 1.0 / width});
  if (end - last > 1e-3) taps.push_back({last, std::min(std::min(end - last, 1.0), width) / width});
  for (Tap& tap : taps) tap.weight = static_cast<float>(tap.weight);
  return taps;
}

}  // namespace

bool AxisMap::is_identity() const {
  if (taps.size() != static_cast<std::size_t>(old_extent)) return false;
  for (std::size_t x = 0; x < taps.size(); ++x) {
    const bool same = taps[x].size() == 1 && taps[x][0].index == static_cast<int>(x) && taps[x][0].weight == 1.0;
    if (!same || pad[x] != 0.0) return false;
  }
  return true;
}

AxisMap identity_axis(int extent) { return crop_or_pad_axis(extent, extent); }

AxisMap resize_axis(int old_extent, int new_extent, Method method, bool growing) {
  const double inverse = static_cast<double>(new_extent) / old_extent;
  const double scale = 1.0 / inverse;
  AxisMap map{old_extent, {}, std::vector<double>(static_cast<std::size_t>(new_extent), 0.0)};
  for (int place = 0; place < new_extent; ++place) {
    const auto position = static_cast<float>((place + 0.5) * scale - 0.5);
    std::vector<Tap> taps;
    if (method == Method::nearest) {
      taps = {{std::min(static_cast<int>(std::floor(place * scale)), old_extent - 1), 1.0}};
    } else if (method == Method::bilinear) {
      const float below = std::floor(position);
      taps = linear_taps(static_cast<int>(below), position - below, old_extent);
    } else if (method == Method::cubic) {
      taps = cubic_taps(position, old_extent);
    } else {
      taps = growing ? area_linear_taps(place, scale, inverse, old_extent) : area_taps(place, scale, old_extent);
    }
    map.taps.push_back(merged(taps));
  }
  return map;
}

AxisMap crop_or_pad_axis(int old_extent, int new_extent) {
  const int skipped = std::max(0, (old_extent - new_extent) / 2);
  const int added = std::max(0, (new_extent - old_extent) / 2);
  AxisMap map{old_extent, {}, {}};
  for (int place = 0; place < new_extent; ++place) {
    const int index = place - added + skipped;
    const bool inside = place >= added && index < old_extent;
    map.taps.push_back({{inside ? index : std::clamp(index, 0, old_extent - 1), inside ? 1.0 : 0.0}});
    map.pad.push_back(inside ? 0.0 : 1.0);
  }
  return map;
}

AxisMap compose(const AxisMap& first, const AxisMap& second) {
  if (first.is_identity()) return second;
  if (second.is_identity()) return first;
  AxisMap result{first.old_extent, {}, {}};
  for (std::size_t x = 0; x < second.taps.size(); ++x) {
    std::map<std::int32_t, double> sums;
    double pad = second.pad[x];
    for (const Tap& outer : second.taps[x]) {
      const auto middle = static_cast<std::size_t>(outer.index);
      pad += outer.weight * first.pad[middle];
      for (const Tap& inner : first.taps[middle]) sums[inner.index] += outer.weight * inner.weight;
    }
    std::vector<Tap> taps;
    for (const auto& [index, weight] : sums) taps.push_back({index, weight});
    result.taps.push_back(merged(taps));
    result.pad.push_back(pad);
  }
  return result;
}

Band band_of(const AxisMap& map) {
  Band band;
  band.identity = map.is_identity();
  const std::size_t count = map.taps.size();
  // A pixel that falls on an old one has fewer taps than its neighbours; the kernel wants firsts that do not decrease.
  band.first.resize(count);
  std::int32_t first = map.old_extent - 1;
  for (std::size_t x = count; x-- > 0;) {
    first = band.first[x] = std::min(first, map.taps[x].front().index);
    band.taps = std::max(band.taps, static_cast<std::size_t>(map.taps[x].back().index - first) + 1);
  }
  const std::int32_t last_first = std::max(0, map.old_extent - static_cast<int>(band.taps));
  band.weights.assign(band.taps * count, 0.0F);
  for (std::size_t x = 0; x < count; ++x) {
    band.first[x] = std::min(band.first[x], last_first);
    for (const Tap& tap : map.taps[x]) {
      band.weights[static_cast<std::size_t>(tap.index - band.first[x]) * count + x] = static_cast<float>(tap.weight);
    }
    band.pad.push_back(static_cast<float>(map.pad[x]));
    band.padded = band.padded || map.pad[x] != 0.0;
  }
  return band;
}

bool is_halving(const Band& band, int old_extent) {
  if (band.taps != 2 || band.padded || static_cast<int>(2 * band.count()) != old_extent) return false;
  for (std::size_t x = 0; x < band.count(); ++x) {
    const bool pair = band.first[x] == static_cast<std::int32_t>(2 * x);
    if (!pair || band.weights[x] != 0.5F || band.weights[band.count() + x] != 0.5F) return false;
  }
  return true;
}

}  // namespace nerone::preprocess
