// Every kernel beside its plain reference and beside memcpy of its input. Bytes count what is read and what is written.
// The comparison with numpy and OpenCV is benchmarks/test_kernels.py.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <nerone/preprocess.hpp>
#include <vector>

#include "kernels/argmax/argmax.hpp"
#include "kernels/channels/channels.hpp"
#include "kernels/dequantize/dequantize.hpp"
#include "kernels/moments/moments.hpp"
#include "kernels/percentile/percentile.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/resize/combine.hpp"
#include "kernels/softmax/softmax.hpp"
#include "kernels/transpose/transpose.hpp"

namespace nerone {
namespace {

template <typename T>
std::vector<T> noise(std::size_t count) {
  std::vector<T> values(count);
  std::uint32_t state = 1;
  for (auto& value : values) value = static_cast<T>((state = state * 1664525U + 1013904223U) >> 20);
  return values;
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
}

constexpr kernels::Affine window{-500.0F, 1000.0F, 64.0F / 750.0F, -64.0F / 3.0F, false, true};
constexpr kernels::Chain window_chain{&window, 1, 1};

void memcpy_ct(benchmark::State& state) {
  const auto from = noise<std::int16_t>(512 * 512);
  std::vector<std::int16_t> to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size() * 2);
    benchmark::ClobberMemory();
  }
  count_bytes(state, from.size() * 4);
}
BENCHMARK(memcpy_ct);

template <auto Kernel>
void quantize_halved(benchmark::State& state) {
  const auto pixels = noise<std::int16_t>(512 * 512);
  std::vector<std::int8_t> out(256 * 256);
  for (auto _ : state) {
    Kernel(DType::int16, pixels.data(), 1024, 256, 256, window_chain, out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, pixels.size() * 2 + out.size());
}
BENCHMARK(quantize_halved<kernels::quantize_halved>);
BENCHMARK(quantize_halved<kernels::scalar::quantize_halved>);

template <auto Kernel>
void quantize_planes(benchmark::State& state) {
  const auto channels = static_cast<std::size_t>(state.range(0));
  const auto pixels = noise<std::int16_t>(240 * 240);
  const std::vector<const void*> planes(channels, pixels.data());
  const std::vector<kernels::Affine> affine(channels, window);
  std::vector<std::int8_t> out(pixels.size() * channels);
  for (auto _ : state) {
    Kernel(DType::int16, planes.data(), pixels.size(), {affine.data(), 1, channels}, out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, out.size() * 3);
}
BENCHMARK(quantize_planes<kernels::quantize_planes>)->Arg(1)->Arg(3)->Arg(4)->Arg(5);
BENCHMARK(quantize_planes<kernels::scalar::quantize_planes>)->Arg(4);

template <auto Kernel>
void combine_rows(benchmark::State& state) {
  const auto pixels = noise<std::int16_t>(4 * 512);
  const void* rows[4] = {pixels.data(), pixels.data() + 512, pixels.data() + 1024, pixels.data() + 1536};
  const float weights[4] = {-0.1F, 0.6F, 0.6F, -0.1F};
  std::vector<float> out(512);
  for (auto _ : state) {
    Kernel(DType::int16, rows, weights, 4, 0.0F, 512, out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, pixels.size() * 2 + out.size() * 4);
}
BENCHMARK(combine_rows<kernels::combine_rows>);
BENCHMARK(combine_rows<kernels::scalar::combine_rows>);

// Of four rows.
void combine_columns(benchmark::State& state) {
  const std::size_t width = 512;
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<float> row(width + kernels::row_margin, 1.0F);
  std::vector<std::int32_t> first(count);
  for (std::size_t x = 0; x < count; ++x) first[x] = static_cast<std::int32_t>(x * (width - 4) / count);
  const std::vector<float> weights(4 * count, 0.25F);
  std::vector<float> out(kernels::row_batch * count);
  std::vector<float> scratch(kernels::row_batch * row.size());
  const float* const rows[] = {row.data(), row.data(), row.data(), row.data()};
  float* const to[] = {out.data(), out.data() + count, out.data() + 2 * count, out.data() + 3 * count};
  for (auto _ : state) {
    kernels::combine_columns(rows, kernels::row_batch, first.data(), weights.data(), count, 4, nullptr, count, to,
                             scratch.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, kernels::row_batch * (row.size() + count) * 4);
}
BENCHMARK(combine_columns)->Arg(100)->Arg(330)->Arg(900);

template <auto Kernel>
void add_moments(benchmark::State& state) {
  const auto pixels = noise<std::int16_t>(240 * 240);
  for (auto _ : state) {
    kernels::Moments moments;
    Kernel(DType::int16, pixels.data(), pixels.size(), moments);
    benchmark::DoNotOptimize(moments);
  }
  count_bytes(state, pixels.size() * 2);
}
BENCHMARK(add_moments<kernels::add_moments>);
BENCHMARK(add_moments<kernels::scalar::add_moments>);

template <auto Kernel>
void percentiles(benchmark::State& state) {
  const auto values = noise<float>(256 * 256);
  std::vector<float> scratch(values.size() + 16);
  for (auto _ : state) benchmark::DoNotOptimize(Kernel(values.data(), values.size(), 1.0, 99.0, scratch.data()));
  count_bytes(state, values.size() * 4);
}
BENCHMARK(percentiles<kernels::percentiles>);
BENCHMARK(percentiles<kernels::scalar::percentiles>);

using Argmax = void (*)(const std::int8_t*, std::size_t, std::size_t, std::uint8_t*);

template <Argmax Kernel>
void argmax(benchmark::State& state) {
  const auto channels = static_cast<std::size_t>(state.range(0));
  const auto values = noise<std::int8_t>(256 * 256 * channels);
  std::vector<std::uint8_t> classes(256 * 256);
  for (auto _ : state) {
    Kernel(values.data(), classes.size(), channels, classes.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, values.size() + classes.size());
}
BENCHMARK(argmax<kernels::argmax>)->Arg(2)->Arg(3)->Arg(4)->Arg(6)->Arg(7);
BENCHMARK(argmax<kernels::scalar::argmax>)->Arg(6);

template <auto Kernel>
void softmax(benchmark::State& state) {
  const auto channels = static_cast<std::size_t>(state.range(0));
  const auto values = noise<std::int8_t>(256 * 256 * channels);
  std::vector<float> out(values.size());
  const kernels::SoftmaxTable table(3);
  for (auto _ : state) {
    Kernel(values.data(), 256 * 256, channels, table, out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, values.size() * 5);
}
BENCHMARK(softmax<kernels::softmax>)->Arg(3)->Arg(4)->Arg(6);
BENCHMARK(softmax<kernels::scalar::softmax>)->Arg(6);

template <auto Kernel>
void dequantize(benchmark::State& state) {
  const auto values = noise<std::int8_t>(256 * 256 * 6);
  std::vector<float> out(values.size());
  for (auto _ : state) {
    Kernel(values.data(), values.size(), 4, out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, values.size() * 5);
}
BENCHMARK(dequantize<kernels::dequantize>);
BENCHMARK(dequantize<kernels::scalar::dequantize>);

template <auto Kernel>
void transpose(benchmark::State& state) {
  const auto pixels = noise<std::int16_t>(512 * 512);
  std::vector<std::int16_t> out(pixels.size());
  for (auto _ : state) {
    Kernel(pixels.data(), 1024, 2, 512, 512, out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, pixels.size() * 4);
}
BENCHMARK(transpose<kernels::transpose>);
BENCHMARK(transpose<kernels::scalar::transpose>);

void whole(benchmark::State& state, const preprocess::Steps& steps, std::vector<std::int64_t> shape) {
  auto pixels = noise<std::int16_t>(static_cast<std::size_t>(shape[0] * shape[1] * shape[2]));
  preprocess::Image image;
  image.views.push_back(TensorView::contiguous(pixels.data(), DType::int16, shape));
  image.spacing_mm = preprocess::Spacing{0.8, 0.8};
  preprocess::Preprocess preprocess(steps);
  const auto result = preprocess.output_shape(image);
  std::vector<std::int8_t> out(static_cast<std::size_t>(result.height * result.width * result.channels));
  const auto to = TensorView::contiguous(out.data(), DType::int8, {result.height, result.width, result.channels});
  for (auto _ : state) preprocess.run(image, 6, to);
  count_bytes(state, pixels.size() * 2 + out.size());
}

void ct_org(benchmark::State& state) {
  using namespace preprocess;
  whole(state,
        {Resample{0.557, Method::cubic}, CropOrPad{512, 512, -1024}, Resize{256, 256, Method::bilinear},
         Window{-500, 1000, {-1, 1}}},
        {512, 512, 1});
}
BENCHMARK(ct_org);

void prostate(benchmark::State& state) {
  using namespace preprocess;
  whole(state,
        {Resample{0.625, Method::cubic}, CropOrPad{256, 256, 0}, Percentile{1.0, 99.0, {-1, 1}, Scope::slice, false}},
        {320, 320, 1});
}
BENCHMARK(prostate);

}  // namespace
}  // namespace nerone
