// What a frame costs beside its work: workers that do nothing, or are busy for as long as a CT slice takes to be
// prepared and reduced. Real time minus that work is the pipeline's own part. benchmarks/test_limits.py has the same
// from Python.
#include <benchmark/benchmark.h>

#include <chrono>
#include <deque>
#include <nerone/pipeline.hpp>

namespace nerone::pipeline {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

class BusyWorker : public Worker {
 public:
  explicit BusyWorker(microseconds work) : work_(work) {}

  const std::vector<TensorInfo>& results() const override { return results_; }
  void preprocess(const Images&, int) override {
    const auto end = steady_clock::now() + work_;
    while (steady_clock::now() < end) continue;
  }
  void execute() override {}
  void postprocess(int, const std::vector<TensorView>&) override {}

 private:
  microseconds work_;
  std::vector<TensorInfo> results_{{"mask", {1, 4}, DType::uint8, {}}};
};

Pipeline pipeline_of(const benchmark::State& state) {
  Options options;
  options.workers = static_cast<int>(state.range(0));
  const microseconds work(state.range(1));
  return {[work] { return std::make_unique<BusyWorker>(work); }, options};
}

void report(benchmark::State& state, steady_clock::duration elapsed) {
  const auto frames = static_cast<double>(state.iterations());
  const double each_us = std::chrono::duration<double, std::micro>(elapsed).count() / frames;
  state.counters["overhead_us"] = each_us - static_cast<double>(state.range(1)) / static_cast<double>(state.range(0));
}

void submit_and_wait(benchmark::State& state) {
  auto pipeline = pipeline_of(state);
  const Frame frame = std::make_shared<Images>(1);
  std::deque<Ticket> tickets;
  const auto began = steady_clock::now();
  for ([[maybe_unused]] auto _ : state) {
    if (tickets.size() == pipeline.in_flight_limit()) {
      tickets.front().wait();
      tickets.pop_front();
    }
    tickets.push_back(pipeline.submit(frame));
  }
  report(state, steady_clock::now() - began);
}

void one_at_a_time(benchmark::State& state) {
  auto pipeline = pipeline_of(state);
  const Frame frame = std::make_shared<Images>(1);
  const auto began = steady_clock::now();
  for ([[maybe_unused]] auto _ : state) pipeline.submit(frame).wait();
  report(state, steady_clock::now() - began);
}

void workers_and_work(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"workers", "work_us"})->ArgsProduct({{1, 2}, {0, 35}})->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK(submit_and_wait)->Apply(workers_and_work);
BENCHMARK(one_at_a_time)->ArgNames({"workers", "work_us"})->Args({1, 0})->Args({1, 35})->UseRealTime();

}  // namespace
}  // namespace nerone::pipeline
