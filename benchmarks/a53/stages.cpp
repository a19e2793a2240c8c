// One stage of a bundle's work on the host, so many times: a53_stages STAGE BUNDLE FRAMES IMAGE OUTPUT SPACING_MM.
// STAGE: preprocess, postprocess, or pipeline (queue, threads and results, with a worker that does nothing).
// IMAGE and OUTPUT: HEIGHTxWIDTHxCHANNELS; images are int16, or uint8 of a classification, as one array of 1 or 3
// channels or as 4 arrays of one. SPACING_MM: 0 where unknown. estimate.py counts what it executes.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <nerone/bundle.hpp>
#include <nerone/pipeline.hpp>
#include <nerone/postprocess.hpp>
#include <nerone/preprocess.hpp>
#include <random>
#include <string>

#include "base/aligned_buffer.hpp"

namespace {

using namespace nerone;

struct Extents {
  int height = 0, width = 0, channels = 0;
};

Extents extents_of(const char* text) {
  Extents found;
  if (std::sscanf(text, "%dx%dx%d", &found.height, &found.width, &found.channels) != 3) std::exit(2);
  return found;
}

struct Volume {
  std::vector<std::int16_t> values;
  std::vector<std::uint8_t> bytes;
  preprocess::Image image;
  preprocess::Statistics statistics;
};

// The rest of an array is its beginning again, so that preparing it takes few instructions.
constexpr std::size_t period = 8192;
template <typename T>
void repeat(T* values, std::size_t count) {
  for (std::size_t at = period; at < count; at += period) {
    std::memcpy(values + at, values, std::min(period, count - at) * sizeof(T));
  }
}

// Smooth with noise, so that percentiles and branches see what they see of scans.
void fill(Volume& volume, const Extents& size, bool is_picture, double spacing_mm, const preprocess::Steps& steps) {
  std::mt19937 random(1);
  const auto count = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) *
                     static_cast<std::size_t>(size.channels);
  volume.values.resize(count);
  volume.bytes.resize(count);
  for (std::size_t i = 0; i < std::min(period, count); ++i) {
    const int value = static_cast<int>(i / 8 % 1000) + static_cast<int>(random() % 200) - 500;
    volume.values[i] = static_cast<std::int16_t>(value);
    volume.bytes[i] = static_cast<std::uint8_t>(value);
  }
  repeat(volume.values.data(), count);
  repeat(volume.bytes.data(), count);
  const bool apart = size.channels == 4;
  for (int channel = 0; channel < (apart ? 4 : 1); ++channel) {
    const std::size_t offset = count / 4 * static_cast<std::size_t>(channel);
    std::vector<std::int64_t> shape = {size.height, size.width};
    if (size.channels == 3) shape.push_back(3);
    volume.image.views.push_back(is_picture
                                     ? TensorView::contiguous(volume.bytes.data() + offset, DType::uint8, shape)
                                     : TensorView::contiguous(volume.values.data() + offset, DType::int16, shape));
  }
  if (spacing_mm > 0) volume.image.spacing_mm = preprocess::Spacing{spacing_mm, spacing_mm};
  volume.statistics = preprocess::volume_statistics(steps, {volume.image});
  volume.image.statistics = &volume.statistics;
}

class Idle final : public pipeline::Worker {
 public:
  explicit Idle(TensorInfo result) : results_{std::move(result)} {}
  const std::vector<TensorInfo>& results() const override { return results_; }
  void preprocess(const pipeline::Images&, int) override {}
  void execute() override {}
  void postprocess(int, const std::vector<TensorView>&) override {}

 private:
  std::vector<TensorInfo> results_;
};

}  // namespace

int main(int count, char** values) {
  if (count != 7) return 2;
  const std::string stage = values[1];
  const auto bundle = Bundle::open(values[2]);
  const int frames = std::atoi(values[3]);
  const auto image_size = extents_of(values[4]), output_size = extents_of(values[5]);
  const double spacing_mm = std::atof(values[6]);

  TensorInfo output{"output", {1, output_size.height, output_size.width, output_size.channels}, DType::int8, 3};
  if (stage == "preprocess") {
    Volume volume;
    fill(volume, image_size, bundle.classification, spacing_mm, bundle.preprocessing);
    preprocess::Preprocess steps(bundle.preprocessing);
    const auto shape = steps.output_shape(volume.image);
    AlignedBuffer memory(static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width) *
                         static_cast<std::size_t>(shape.channels));
    const auto view = TensorView::contiguous(memory.data(), DType::int8, {shape.height, shape.width, shape.channels});
    for (int i = 0; i < frames; ++i) steps.run(volume.image, 6, view);
  } else if (stage == "postprocess") {
    const postprocess::Postprocess reduce(
        bundle.classification ? postprocess::Kind::probabilities : postprocess::Kind::classes, output);
    AlignedBuffer from(static_cast<std::size_t>(size_bytes(output)));
    AlignedBuffer to(static_cast<std::size_t>(size_bytes(reduce.result())));
    std::mt19937 random(2);
    for (std::size_t i = 0; i < std::min(period, from.size()); ++i)
      from.data()[i] = static_cast<std::uint8_t>(random());
    repeat(from.data(), from.size());
    const auto source = TensorView::contiguous(from.data(), DType::int8, output.shape);
    const auto result = TensorView::contiguous(to.data(), reduce.result().dtype, reduce.result().shape);
    for (int i = 0; i < frames; ++i) reduce.run(source, result);
  } else {
    pipeline::Options options;
    options.workers = 2;
    pipeline::Pipeline pool([&] { return std::make_unique<Idle>(output); }, options);
    const auto frame = std::make_shared<const pipeline::Images>(1);
    std::deque<pipeline::Ticket> waiting;
    for (int i = 0; i < frames; ++i) {
      if (waiting.size() == pool.in_flight_limit()) waiting.front().wait(), waiting.pop_front();
      waiting.push_back(pool.submit(frame));
    }
    for (auto& ticket : waiting) ticket.wait();
  }
  return 0;
}
