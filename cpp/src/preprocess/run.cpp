#include "preprocess/run.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/channels/channels.hpp"
#include "kernels/resize/combine.hpp"
#include "preprocess/chain.hpp"
#include "preprocess/measure.hpp"
#include "preprocess/prefetch.hpp"

namespace nerone::preprocess {
namespace {

constexpr float one = 1.0F;
// Pixels over which the constants of interleaved channels repeat.
constexpr std::size_t constants_tile = 16;

std::size_t extent(int value) { return static_cast<std::size_t>(value); }

AlignedBuffer float_buffer(std::size_t count) { return AlignedBuffer(count * sizeof(float)); }

bool in_order(const Stage& stage) {
  if (stage.select.size() != extent(stage.in.channels)) return false;
  for (std::size_t c = 0; c < stage.select.size(); ++c) {
    if (stage.select[c] != c) return false;
  }
  return true;
}

}  // namespace

Execution::Execution(Plan plan, const Layout& layout) : plan_(std::move(plan)), copy_(layout.copy_bytes()) {
  std::size_t channels = 1;
  std::size_t width = 1;
  std::size_t planes = 0;
  std::size_t measured = 0;
  std::size_t taps = 1;
  std::size_t points = 2;
  for (const Stage& stage : plan_.stages) {
    channels = std::max({channels, extent(stage.in.channels), extent(stage.out.channels)});
    width = std::max({width, extent(stage.in.width), extent(stage.out.width), stage.columns.taps});
    taps = std::max({taps, stage.rows.taps, std::size_t{3}});
    points = std::max(points, stage.points.size() + 1);
    if (&stage != &plan_.stages.back()) {
      planes = std::max(planes, extent(stage.out.height) * extent(stage.out.width) * extent(stage.out.channels));
    }
    if (!stage.points.empty() && std::holds_alternative<Measured>(stage.points.front())) {
      measured = std::max(measured, measure_scratch(extent(stage.in.height) * extent(stage.in.width)));
    }
    std::vector<float> constants;
    if (stage.columns.padded) {
      for (const float pad : stage.columns.pad) constants.push_back(pad * stage.pad_value);
    }
    column_constants_.push_back(std::move(constants));
    halves_.push_back(stage.select.size() == 1 && is_halving(stage.rows, stage.in.height) &&
                      is_halving(stage.columns, stage.in.width));
  }
  row_pitch_ = width + kernels::row_margin;
  channels_ = channels;
  rows_ = float_buffer(kernels::row_batch * row_pitch_ * channels);
  split_ = float_buffer(kernels::row_batch * row_pitch_ * channels);
  wide_ = float_buffer(2 * row_pitch_ * channels);
  columns_ = float_buffer(kernels::row_batch * row_pitch_);
  planes_ = {float_buffer(planes), float_buffer(plan_.stages.size() > 2 ? planes : 0)};
  measured_ = float_buffer(measured);
  tiles_ = float_buffer(points * 4 * constants_tile * channels);
  tiled_.resize(points);
  chain_.resize(points * channels);
  tap_rows_.resize(taps);
  tap_weights_.resize(taps);
}

void Execution::run(const Image& image, const Layout& layout, Sink sink) {
  statistics_ = image.statistics;
  Source source = source_of(image, layout, copy_.data());
  for (std::size_t n = 0; n < plan_.stages.size(); ++n) {
    const Stage& stage = plan_.stages[n];
    if (n + 1 == plan_.stages.size()) return run_stage(n, source, sink);
    Sink planes;
    planes.planes = floats(planes_[n % 2]);
    run_stage(n, source, planes);
    source = Source{};
    source.height = extent(stage.out.height);
    source.width = extent(stage.out.width);
    source.channels = extent(stage.out.channels);
    for (std::size_t c = 0; c < source.channels; ++c) {
      source.planes[c] = reinterpret_cast<const std::uint8_t*>(planes.planes + c * source.height * source.width);
      source.row_strides_bytes[c] = static_cast<std::ptrdiff_t>(source.width * sizeof(float));
    }
  }
}

void Execution::run_stage(std::size_t number, const Source& source, const Sink& sink) {
  const Stage& stage = plan_.stages[number];
  resolve(stage, source, sink);
  if (run_direct(number, source, sink)) return;
  const std::size_t height = extent(stage.out.height);
  const std::size_t width = extent(stage.out.width);
  std::array<Rows, kernels::row_batch> rows{};
  Prefetch prefetch(source);
  for (std::size_t from = 0; from < height; from += kernels::row_batch) {
    const std::size_t count = std::min(kernels::row_batch, height - from);
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t y = from + r;
      prefetch.before(stage.moves ? extent(stage.rows.first[y]) : y, stage.select);
      for (std::size_t c = 0; c < extent(stage.out.channels); ++c) {
        rows[r][c] = sink.planes != nullptr ? sink.planes + (c * height + y) * width
                                            : floats(rows_) + (r * channels_ + c) * row_pitch_;
      }
      if (stage.moves) {
        move_rows(stage, source, y, r, rows[r]);
      } else {
        produce(stage, source, y, rows[r]);
      }
    }
    if (stage.moves && !stage.columns.identity) move_columns(number, count, rows);
    for (std::size_t r = 0; r < count; ++r) emit(stage, from + r, rows[r], sink);
  }
}

void Execution::resolve(const Stage& stage, const Source& source, const Sink& sink) {
  const std::size_t channels = extent(stage.out.channels);
  chain_steps_ = 0;
  for (const Point& point : stage.points) {
    const auto* measured = std::get_if<Measured>(&point);
    kernels::Affine* step = chain_.data() + chain_steps_ * channels;
    for (std::size_t c = 0; c < channels; ++c) {
      if (measured == nullptr) {
        step[c] = std::get<Fixed>(point)[c];
      } else if (measured->given) {
        step[c] = affine_of(*measured, (*statistics_)[*measured->given][c]);
      } else {
        step[c] = measure(*measured, source, stage.select[c], floats(wide_), floats(measured_));
      }
    }
    if (chain_steps_ > 0 && merge_clamp(step - channels, step, channels)) continue;
    ++chain_steps_;
  }
  if (sink.bytes != nullptr) scale_last(channels, std::ldexp(1.0F, sink.fix_point));
  // Pixels enter within the limits already.
  for (std::size_t c = 0; chain_steps_ > 0 && c < channels; ++c)
    chain_[c].clamps = needs_clamp(chain_.data(), channels);
}

void Execution::scale_last(std::size_t channels, float scale) {
  if (chain_steps_ > 0) {
    kernels::Affine* last = chain_.data() + (chain_steps_ - 1) * channels;
    if (scales_exactly(last, channels, scale)) {
      for (std::size_t c = 0; c < channels; ++c) last[c].scale *= scale, last[c].offset *= scale;
      return;
    }
  }
  // Values too great for a float saturate either way.
  kernels::Affine* step = chain_.data() + chain_steps_ * channels;
  for (std::size_t c = 0; c < channels; ++c) step[c] = {0.0F, 0.0F, scale, 0.0F, false, false};
  ++chain_steps_;
}

bool Execution::run_direct(std::size_t number, const Source& source, const Sink& sink) {
  const Stage& stage = plan_.stages[number];
  if (sink.bytes == nullptr || stage.grey) return false;
  if (halves_[number] && !source.interleaved && size_of(source.dtype) <= 2) {
    const std::size_t plane = stage.select[0];
    kernels::quantize_halved(source.dtype, source.planes[plane], source.row_strides_bytes[plane],
                             extent(stage.out.height), extent(stage.out.width), {chain_.data(), chain_steps_, 1},
                             sink.bytes);
    return true;
  }
  if (stage.moves) return false;
  if (source.interleaved && !in_order(stage)) return false;
  quantize_whole(stage, source, sink);
  return true;
}

void Execution::quantize_whole(const Stage& stage, const Source& source, const Sink& sink) {
  const std::size_t channels = extent(stage.out.channels);
  const bool uniform = source.interleaved && same_for_all(chain_.data(), chain_steps_, channels);
  if (uniform) {
    for (std::size_t s = 0; s < chain_steps_; ++s) chain_[s] = chain_[s * channels];
  } else if (source.interleaved) {
    tile_constants(channels);
  }
  bool one_run = true;
  for (std::size_t c = 0; c < channels; ++c)
    one_run = one_run && source.one_run(source.interleaved ? 0 : stage.select[c]);
  const std::size_t runs = one_run ? 1 : source.height;
  const std::size_t count = source.width * (one_run ? source.height : 1);
  std::array<const void*, max_channels> planes{};
  for (std::size_t y = 0; y < runs; ++y) {
    std::int8_t* to = sink.bytes + y * count * channels;
    if (uniform) {
      const void* row = source.row(0, y);
      kernels::quantize_planes(source.dtype, &row, count * channels, {chain_.data(), chain_steps_, 1}, to);
    } else if (source.interleaved) {
      kernels::quantize_interleaved(source.dtype, source.row(0, y), count * channels, tiled_.data(), chain_steps_,
                                    channels, to);
    } else {
      for (std::size_t c = 0; c < channels; ++c) planes[c] = source.row(stage.select[c], y);
      kernels::quantize_planes(source.dtype, planes.data(), count, {chain_.data(), chain_steps_, channels}, to);
    }
  }
}

void Execution::tile_constants(std::size_t channels) {
  const std::size_t tile = constants_tile * channels;
  for (std::size_t s = 0; s < chain_steps_; ++s) {
    float* to = floats(tiles_) + s * 4 * tile;
    for (std::size_t e = 0; e < tile; ++e) {
      const kernels::Affine& a = chain_[s * channels + e % channels];
      to[e] = a.low, to[tile + e] = a.high, to[2 * tile + e] = a.scale, to[3 * tile + e] = a.offset;
    }
    const kernels::Affine& first = chain_[s * channels];
    tiled_[s] = {to, to + tile, to + 2 * tile, to + 3 * tile, first.keep_zero, first.clamps};
  }
}

void Execution::split_row(const Source& source, std::size_t y) {
  Rows rows{};
  for (std::size_t c = 0; c < source.channels; ++c) rows[c] = split(0, c);
  if (source.interleaved) {
    const void* row = source.row(0, y);
    kernels::combine_rows(source.dtype, &row, &one, 1, 0.0F, source.width * source.channels, floats(wide_));
    kernels::split_channels(floats(wide_), source.channels, source.width, rows.data());
    return;
  }
  for (std::size_t c = 0; c < source.channels; ++c) {
    const void* row = source.row(c, y);
    kernels::combine_rows(source.dtype, &row, &one, 1, 0.0F, source.width, rows[c]);
  }
}

void Execution::produce(const Stage& stage, const Source& source, std::size_t y, const Rows& rows) {
  split_row(source, y);
  if (stage.grey) {
    const void* three[3] = {split(0, stage.select[0]), split(0, stage.select[1]), split(0, stage.select[2])};
    kernels::combine_rows(DType::float32, three, stage.grey->data(), 3, 0.0F, source.width, rows[0]);
    return;
  }
  for (std::size_t c = 0; c < stage.select.size(); ++c) {
    const float* row = split(0, stage.select[c]);
    std::copy(row, row + source.width, rows[c]);
  }
}

std::size_t Execution::gather_taps(const Stage& stage, const Source& source, std::size_t plane, std::size_t y) {
  const Band& band = stage.rows;
  const auto first = static_cast<std::size_t>(band.first[y]);
  std::size_t count = 0;
  for (std::size_t k = 0; k < band.taps; ++k) {
    const float weight = band.weights[k * band.count() + y];
    if (weight == 0.0F) continue;
    tap_rows_[count] = source.row(plane, first + k);
    tap_weights_[count++] = weight;
  }
  if (count > 0) return count;
  tap_rows_[0] = source.row(plane, first);
  tap_weights_[0] = 0.0F;
  return 1;
}

void Execution::move_rows(const Stage& stage, const Source& source, std::size_t y, std::size_t r, const Rows& rows) {
  const float constant = stage.rows.pad[y] * stage.pad_value;
  if (source.interleaved) {
    const std::size_t taps = gather_taps(stage, source, 0, y);
    kernels::combine_rows(source.dtype, tap_rows_.data(), tap_weights_.data(), taps, constant,
                          source.width * source.channels, floats(wide_));
    Rows channels{};
    for (std::size_t c = 0; c < source.channels; ++c) channels[c] = split(r, c);
    kernels::split_channels(floats(wide_), source.channels, source.width, channels.data());
    for (std::size_t c = 0; stage.columns.identity && c < stage.select.size(); ++c) {
      std::copy(channels[stage.select[c]], channels[stage.select[c]] + source.width, rows[c]);
    }
    return;
  }
  // Columns that nothing is made of are left out.
  const auto begin = static_cast<std::size_t>(stage.columns.first.front());
  const std::size_t end = static_cast<std::size_t>(stage.columns.first.back()) + stage.columns.taps;
  const std::size_t width = std::min(end, source.width) - begin;
  for (std::size_t c = 0; c < stage.select.size(); ++c) {
    const std::size_t taps = gather_taps(stage, source, stage.select[c], y);
    for (std::size_t k = 0; k < taps; ++k) {
      tap_rows_[k] = static_cast<const std::uint8_t*>(tap_rows_[k]) + begin * size_of(source.dtype);
    }
    float* row = stage.columns.identity ? rows[c] : split(r, stage.select[c]);
    kernels::combine_rows(source.dtype, tap_rows_.data(), tap_weights_.data(), taps, constant, width, row + begin);
  }
}

void Execution::move_columns(std::size_t number, std::size_t row_count,
                             const std::array<Rows, kernels::row_batch>& rows) {
  const Stage& stage = plan_.stages[number];
  const Band& band = stage.columns;
  const float* constants = band.padded ? column_constants_[number].data() : nullptr;
  std::array<const float*, kernels::row_batch> from{};
  std::array<float*, kernels::row_batch> to{};
  for (std::size_t c = 0; c < stage.select.size(); ++c) {
    for (std::size_t r = 0; r < row_count; ++r) from[r] = split(r, stage.select[c]), to[r] = rows[r][c];
    kernels::combine_columns(from.data(), row_count, band.first.data(), band.weights.data(), band.count(), band.taps,
                             constants, band.count(), to.data(), floats(columns_));
  }
}

void Execution::emit(const Stage& stage, std::size_t y, const Rows& rows, const Sink& sink) {
  const std::size_t channels = extent(stage.out.channels);
  const std::size_t width = extent(stage.out.width);
  const kernels::Chain chain{chain_.data(), chain_steps_, channels};
  if (sink.bytes != nullptr) {
    std::array<const void*, max_channels> planes;
    std::copy(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(channels), planes.begin());
    kernels::quantize_planes(DType::float32, planes.data(), width, chain, sink.bytes + y * width * channels);
    return;
  }
  for (std::size_t c = 0; c < channels; ++c) kernels::map_row(rows[c], width, chain, c);
  if (sink.pixels != nullptr) {
    kernels::merge_channels(rows.data(), channels, width, sink.pixels + y * width * channels);
  }
}

}  // namespace nerone::preprocess
