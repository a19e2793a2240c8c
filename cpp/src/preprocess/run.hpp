#pragma once

#include <array>
#include <cstddef>
#include <nerone/preprocess.hpp>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/resize/combine.hpp"
#include "preprocess/plan.hpp"
#include "preprocess/source.hpp"

namespace nerone::preprocess {

// Where a stage's rows go: into int8 or float32 pixels of the caller's, or into float planes for the next stage.
struct Sink {
  std::int8_t* bytes = nullptr;
  float* pixels = nullptr;
  float* planes = nullptr;
  int fix_point = 0;
};

// A plan with everything it needs to run; running allocates nothing.
class Execution {
 public:
  Execution(Plan plan, const Layout& layout);

  const Plan& plan() const { return plan_; }
  void run(const Image& image, const Layout& layout, Sink sink);

 private:
  using Rows = std::array<float*, max_channels>;
  static float* floats(AlignedBuffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

  void run_stage(std::size_t number, const Source& source, const Sink& sink);
  void resolve(const Stage& stage, const Source& source, const Sink& sink);
  void scale_last(std::size_t channels, float scale);
  bool run_direct(std::size_t number, const Source& source, const Sink& sink);
  void quantize_whole(const Stage& stage, const Source& source, const Sink& sink);
  void tile_constants(std::size_t channels);
  void produce(const Stage& stage, const Source& source, std::size_t y, const Rows& rows);
  // Row y of a stage that moves pixels, with the source's columns: into rows where these stay, else as row r of split_.
  void move_rows(const Stage& stage, const Source& source, std::size_t y, std::size_t r, const Rows& rows);
  void move_columns(std::size_t number, std::size_t row_count, const std::array<Rows, kernels::row_batch>& rows);
  float* split(std::size_t r, std::size_t channel) { return floats(split_) + (r * channels_ + channel) * row_pitch_; }
  void emit(const Stage& stage, std::size_t y, const Rows& rows, const Sink& sink);
  // Row y of every channel of the source as floats, in split_.
  void split_row(const Source& source, std::size_t y);
  std::size_t gather_taps(const Stage& stage, const Source& source, std::size_t plane, std::size_t y);

  Plan plan_;
  const Statistics* statistics_ = nullptr;
  std::vector<kernels::Affine> chain_;
  std::size_t chain_steps_ = 0;
  AlignedBuffer copy_;
  std::array<AlignedBuffer, 2> planes_;
  AlignedBuffer rows_;      // row_batch rows per channel of a stage's result
  AlignedBuffer split_;     // row_batch rows per channel of a stage's source
  AlignedBuffer wide_;      // an interleaved row of a source, twice
  AlignedBuffer columns_;   // scratch of combine_columns
  AlignedBuffer measured_;  // scratch of measuring
  AlignedBuffer tiles_;     // constants repeated over sixteen pixels
  std::vector<kernels::TiledAffine> tiled_;
  std::vector<std::vector<float>> column_constants_;  // per stage
  std::vector<bool> halves_;                          // per stage: both sides halved, which has a kernel of its own
  std::vector<const void*> tap_rows_;
  std::vector<float> tap_weights_;
  std::size_t row_pitch_ = 0;
  std::size_t channels_ = 1;  // at most, of sources and results
};

}  // namespace nerone::preprocess
