// Beside VART's entry points: the profile of a file's DPU subgraphs as JSON, for `nerone profile` and benchmarks.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <sstream>

#include "compiled/constants.hpp"
#include "softdpu/engine.hpp"
#include "softdpu/roofline.hpp"
#include "xmodel/handle.hpp"
#include "xmodel/outline.hpp"

namespace nerone::softdpu {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point before) { return std::chrono::duration<double>(Clock::now() - before).count(); }

std::string quoted(const std::string& text) {
  std::ostringstream out;
  out << '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out << '\\';
    out << (static_cast<unsigned char>(c) < ' ' ? ' ' : c);
  }
  out << '"';
  return out.str();
}

std::vector<std::vector<std::uint8_t>> buffers_for(const std::vector<TensorInfo>& infos) {
  std::vector<std::vector<std::uint8_t>> buffers;
  for (const auto& info : infos) {
    std::size_t bytes = size_of(info.dtype);
    for (const auto extent : info.shape) bytes *= static_cast<std::size_t>(extent);
    buffers.emplace_back(bytes);
    // Any content: the time does not depend on it.
    for (std::size_t i = 0; i < bytes; ++i) buffers.back()[i] = static_cast<std::uint8_t>(i * 37);
  }
  return buffers;
}

struct Timing {
  double run = std::numeric_limits<double>::infinity();
  std::vector<double> steps;  // the fastest of each
};

// Runs turn by turn with the register loop, so that a disturbed machine shows in both. On a busy machine until the
// thread had as much of the processor, within bounds: runs that nobody interrupts are what is looked for.
Timing time_engine(const Engine& engine, double seconds, double& peak) {
  auto inputs = buffers_for(engine.inputs()), outputs = buffers_for(engine.outputs());
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const auto& input : inputs) from.push_back(input.data());
  for (auto& output : outputs) to.push_back(output.data());
  const auto context = engine.make_context();
  const std::size_t count = engine.steps().size();
  Timing timing;
  timing.steps.assign(count, std::numeric_limits<double>::infinity());
  std::vector<double> once(count);
  constexpr double longest = 5;  // times `seconds`
  const auto start = Clock::now();
  const double start_seconds = processor_seconds();
  do {
    peak = std::max(peak, peak_gmacs(0, engine.kernels()));
    const double before = processor_seconds();
    engine.run(*context, from.data(), to.data());
    timing.run = std::min(timing.run, processor_seconds() - before);
    std::fill(once.begin(), once.end(), 0.0);
    engine.run_timed(*context, from.data(), to.data(), once.data());
    for (std::size_t i = 0; i < count; ++i) timing.steps[i] = std::min(timing.steps[i], once[i]);
  } while (processor_seconds() - start_seconds < seconds && seconds_since(start) < longest * seconds);
  return timing;
}

void write_subgraph(std::ostream& out, const xmodel::Graph& graph, Kernels kernels, double seconds, double& peak) {
  EngineOptions options;
  options.kernels = kernels;
  const double before = processor_seconds();
  const auto engine = make_engine(graph, options);
  const double plan_seconds = processor_seconds() - before;
  const auto timing = time_engine(*engine, seconds, peak);
  const auto steps = engine->steps();
  out << "{\"name\":" << quoted(graph.name) << ",\"kernels\":" << quoted(name_of(engine->kernels()))
      << ",\"plan_seconds\":" << plan_seconds << ",\"seconds\":" << timing.run
      << ",\"arena_bytes\":" << engine->arena_bytes() << ",\"layers\":[";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    out << (i == 0 ? "" : ",") << "{\"name\":" << quoted(steps[i].name) << ",\"kind\":" << quoted(steps[i].kind)
        << ",\"kernel\":" << quoted(steps[i].kernel) << ",\"macs\":" << steps[i].macs
        << ",\"computed_macs\":" << steps[i].computed_macs << ",\"peak_ratio\":" << steps[i].peak_ratio
        << ",\"bytes\":" << steps[i].bytes << ",\"seconds\":" << timing.steps[i] << "}";
  }
  out << "]}";
}

std::string profile(const char* file, const char* kernels, double seconds) {
  const auto handle = xmodel::Handle::load(file);
  constexpr double roofline_seconds = 0.05;
  constexpr std::size_t cache_bytes = std::size_t{256} << 10, memory_bytes = std::size_t{64} << 20;
  double peak = 0;
  std::ostringstream out;
  out << "{\"subgraphs\":[";
  bool first = true;
  for (const auto& child : handle.graph().root.children) {
    if (child.device() != "DPU") continue;
    out << (first ? "" : ",");
    first = false;
    auto graph = xmodel::describe(handle.graph(), child);
    compiled::restore_constants(graph);
    write_subgraph(out, graph, kernels_from(kernels), seconds, peak);
  }
  out << "],\"peak_gmacs\":" << peak << ",\"cache_gbs\":" << copy_gbs(cache_bytes, roofline_seconds)
      << ",\"memory_gbs\":" << copy_gbs(memory_bytes, roofline_seconds) << "}";
  return out.str();
}

char* copy_of(const std::string& text) {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace
}  // namespace nerone::softdpu

extern "C" {

// {"subgraphs": [...], ...} or {"error": sentence}; to be given back to nerone_softdpu_free.
__attribute__((visibility("default"))) char* nerone_softdpu_profile(const char* file, const char* kernels,
                                                                    double seconds) {
  try {
    return nerone::softdpu::copy_of(nerone::softdpu::profile(file, kernels, seconds));
  } catch (const std::exception& error) {
    return nerone::softdpu::copy_of("{\"error\":" + nerone::softdpu::quoted(error.what()) + "}");
  }
}

__attribute__((visibility("default"))) void nerone_softdpu_free(char* text) { std::free(text); }

__attribute__((visibility("default"))) double nerone_softdpu_peak_gmacs(double seconds) {
  return nerone::softdpu::peak_gmacs(seconds);
}

}  // extern "C"
